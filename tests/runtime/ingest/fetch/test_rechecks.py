"""A video that is here waits for no download, and outlives the hours in which its server does not answer."""

import json
import socket
import threading
import time

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import HostUnknownError, MediaAwayError, MediaMissingError, MediaOriginError, RefusedError
from pitwall_runtime.ingest.fetch import rechecks, ssrf
from pitwall_runtime.ingest.fetch.addresses import FRESH_SECONDS, STALE_SECONDS, AddressBook
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.fetch.fetcher import Fetcher

PATIENCE_SECONDS = 20.0
FILM = b"\0\0\0\x20ftypisom" + bytes(5000)
OTHER = FILM + b"another cut"


def sent(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def until(condition):
    latest = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < latest, "this was waited for in vain"
        time.sleep(0.01)


@pytest.fixture
def fetcher(wild, tmp_path):
    return Fetcher(tmp_path / "downloads", DownloadLimits(max_seconds=500.0, allowed_hosts=frozenset({wild.host})))


def looked_at(fetcher, url, *, seconds_ago):
    """Fetch it, as of so long ago."""
    video = fetcher.fetch(url, Deadline(PATIENCE_SECONDS))
    [path] = (fetcher.folder / "addresses").iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "checkedAt": time.time() - seconds_ago}))
    return video


def seldom(connection, server):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + FILM)
    server.ended.wait()


def silent(_, server):
    server.ended.wait()


@pytest.mark.parametrize("tag", [(), ('ETag: "v1"',)], ids=["that cannot be compared", "that has a tag"])
@pytest.mark.parametrize("party", ["", "web.ann"])
def test_a_film_that_is_here_waits_for_no_downloads_of_its_host(wild, fetcher, tag, party):
    url = wild.url("/film.mp4", sent(FILM, *tag))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    slow = [
        fetcher.submit(wild.url(f"/{number}", seldom), Deadline(PATIENCE_SECONDS), party and f"web.{number}")
        for number in range(6)
    ]
    full = 3 if party else 4
    until(lambda: wild.open_now == full)

    assert fetcher.submit(url, Deadline(PATIENCE_SECONDS), party).result(PATIENCE_SECONDS / 2) == known
    assert (wild.open_now, len(wild.asked("/film.mp4"))) == (full, 2)
    for future in slow:
        future.cancel()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(sent(b"", status="500 Internal Server Error"), id="500"),
        pytest.param(sent(b"", status="503 Service Unavailable"), id="503"),
        pytest.param(sent(b"", "Retry-After: 7", status="429 Too Many Requests"), id="429"),
        pytest.param(silent, id="nothing"),
        pytest.param(b"", id="hangs up"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + FILM, id="half of it"),
        *[pytest.param(sent(b"", status=f"{code} Not Now"), id=str(code)) for code in (400, 407, 408, 416, 421, 425)],
        pytest.param(sent(b"", "Location: /film.mp4", status="302 Found"), id="redirects in a circle"),
        pytest.param(sent(b""), id="an empty file"),
    ],
)
def test_while_its_server_does_not_answer_a_film_is_what_it_was(wild, fetcher, answer):
    url = wild.url("/film.mp4", sent(FILM))
    known = looked_at(fetcher, url, seconds_ago=STALE_SECONDS - 60)
    wild.url("/film.mp4", answer)

    for _ in range(2):
        assert fetcher.submit(url, Deadline(PATIENCE_SECONDS)).result(PATIENCE_SECONDS / 2) == known
    assert len(wild.asked("/film.mp4")) <= 5, "it is left alone for a while, and perhaps downloaded anew meanwhile"


@pytest.mark.parametrize("tag", [(), ('ETag: "v1"',)], ids=["that cannot be compared", "that has a tag"])
def test_a_page_in_the_place_of_a_film_takes_it_away_for_nobody(wild, fetcher, tag):
    url = wild.url("/film.mp4", sent(FILM, *tag))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    wild.url("/film.mp4", sent(b"<!doctype html><title>We are back at ten</title>", 'ETag: "page"'))

    assert [fetcher.fetch(url, Deadline(PATIENCE_SECONDS)) for _ in range(2)] == [known, known]
    assert len(wild.asked("/film.mp4")) == 2, "it is left alone for a while"


def test_where_nobody_listens_any_more_a_film_is_what_it_was(wild, fetcher):
    known = looked_at(fetcher, wild.url("/film.mp4", sent(FILM)), seconds_ago=2 * FRESH_SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host = f"127.0.0.1:{closed.getsockname()[1]}"
    gone = Fetcher(fetcher.folder, DownloadLimits(allowed_hosts=frozenset({host})))
    before = list((fetcher.folder / "addresses").iterdir())
    data = {"hash": known.content_hash, "validators": {}, "checkedAt": time.time() - 2 * FRESH_SECONDS}
    url = f"http://{host}/film.mp4"
    AddressBook(fetcher.folder / "addresses").note(url, known.content_hash, {})
    [path] = {*(fetcher.folder / "addresses").iterdir()} - {*before}
    path.write_text(json.dumps(data))

    assert gone.fetch(url, Deadline(PATIENCE_SECONDS)) == known


def test_a_host_that_no_name_server_knows_any_more_has_the_film_that_it_had(wild, tmp_path, monkeypatch):
    names = f"localhost:{wild.listener.getsockname()[1]}"
    fetcher = Fetcher(tmp_path / "downloads", DownloadLimits(allowed_hosts=frozenset({names})))
    wild.url("/film.mp4", sent(FILM))
    known = looked_at(fetcher, f"http://{names}/film.mp4", seconds_ago=2 * FRESH_SECONDS)

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(ssrf.socket, "getaddrinfo", unknown)
    assert fetcher.fetch(f"http://{names}/film.mp4", Deadline(PATIENCE_SECONDS)) == known
    with pytest.raises(HostUnknownError, match="no public address"):
        fetcher.fetch(f"http://{names}/other.mp4", Deadline(PATIENCE_SECONDS))


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ("401 Unauthorized", MediaOriginError),
        ("403 Forbidden", MediaOriginError),
        ("404 Not Found", MediaMissingError),
        ("410 Gone", MediaMissingError),
    ],
)
def test_what_its_server_takes_away_is_not_told_any_more(wild, fetcher, status, refusal):
    url = wild.url("/film.mp4", sent(FILM))
    looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    wild.url("/film.mp4", sent(b"", status=status))

    with pytest.raises(refusal, match=status.split()[0]):
        fetcher.fetch(url, Deadline(PATIENCE_SECONDS))


def test_after_a_day_without_its_server_a_film_is_not_believed_any_more(wild, fetcher):
    url = wild.url("/film.mp4", sent(FILM))
    looked_at(fetcher, url, seconds_ago=STALE_SECONDS + 1)
    wild.url("/film.mp4", sent(b"", status="503 Service Unavailable"))

    with pytest.raises(RefusedError, match="too busy"):
        fetcher.fetch(url, Deadline(PATIENCE_SECONDS))


def test_what_takes_long_to_come_anew_is_answered_about_as_it_was_and_replaced(wild, fetcher):
    url = wild.url("/film.mp4", sent(FILM))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    go = threading.Event()

    def slowly(connection, _):
        connection.sendall(sent(OTHER)[:-100])
        go.wait(PATIENCE_SECONDS)
        connection.sendall(OTHER[-100:])

    wild.url("/film.mp4", slowly)
    assert fetcher.fetch(url, Deadline(PATIENCE_SECONDS)) == known
    until(lambda: len(wild.asked("/film.mp4")) == 3)
    assert fetcher.fetch(url, Deadline(PATIENCE_SECONDS)) == known, "also while it is downloaded"
    go.set()
    until(lambda: fetcher.fetch(url, Deadline(PATIENCE_SECONDS)) != known)

    assert fetcher.fetch(url, Deadline(PATIENCE_SECONDS)).path.read_bytes() == OTHER
    assert len(wild.asked("/film.mp4")) == 3


def test_what_is_another_by_its_tag_is_waited_for(wild, fetcher):
    url = wild.url("/film.mp4", sent(FILM, 'ETag: "v1"'))
    looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    go = threading.Event()

    def slowly(connection, _):
        connection.sendall(sent(OTHER, 'ETag: "v2"')[:-100])
        go.wait(PATIENCE_SECONDS)
        connection.sendall(OTHER[-100:])

    wild.url("/film.mp4", slowly)
    asked = fetcher.submit(url, Deadline(PATIENCE_SECONDS))
    until(lambda: len(wild.asked("/film.mp4")) == 3)
    assert not asked.done()
    go.set()

    assert asked.result(PATIENCE_SECONDS).path.read_bytes() == OTHER


def test_a_server_that_heeds_no_condition_and_sends_the_same_tag_is_not_read_on(wild, fetcher):
    url = wild.url("/film.mp4", sent(FILM, 'ETag: "v1"'))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)

    def stops(connection, server):
        connection.sendall(sent(FILM, 'ETag: "v1"')[:-100])
        server.ended.wait()

    wild.url("/film.mp4", stops)
    for _ in range(2):
        assert fetcher.fetch(url, Deadline(PATIENCE_SECONDS)) == known
    assert len(wild.asked("/film.mp4")) == 2, "it counts as looked at"


EPOCH = "Last-Modified: Thu, 01 Jan 1970 00:00:01 GMT"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((EPOCH,), id="the date of all files"),
        pytest.param((EPOCH, 'ETag: W/"0-1"'), id="that date and a weak tag"),
        pytest.param(('ETag: W/"0-1"',), id="a weak tag"),
    ],
)
def test_a_file_of_another_length_is_another_where_no_strong_tag_says_that_it_is_the_same(wild, fetcher, headers):
    url = wild.url("/film.mp4", sent(FILM, *headers))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    wild.url("/film.mp4", sent(OTHER, *headers))

    replaced = fetcher.fetch(url, Deadline(PATIENCE_SECONDS))
    assert replaced != known
    assert replaced.path.read_bytes() == OTHER


@pytest.mark.parametrize("other", [(), ('ETag: "v2"',)], ids=["the same tag", "another tag"])
def test_a_file_of_the_same_date_and_length_is_read_on_only_where_its_tag_is_another(wild, fetcher, other):
    url = wild.url("/film.mp4", sent(FILM, EPOCH, *(('ETag: "v1"',) if other else ())))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    cut = FILM[:-1] + b"!"
    wild.url("/film.mp4", sent(cut, EPOCH, *other))

    found = fetcher.fetch(url, Deadline(PATIENCE_SECONDS))
    assert (found != known) == bool(other)


@pytest.mark.parametrize("first", [0, 2000], ids=["late", "slowly"])
@pytest.mark.parametrize("tag", [(), ('ETag: "v1"',)], ids=["cannot be compared", "has a tag"])
def test_who_must_be_certain_has_what_comes_long_after_a_question_is_answered(wild, fetcher, monkeypatch, first, tag):
    monkeypatch.setattr(rechecks, "RECHECK_SECONDS", 0.1)
    url = wild.url("/film.mp4", sent(FILM, *tag))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    go = threading.Event()

    def in_its_time(connection, _):
        whole = sent(OTHER)
        connection.sendall(whole[:first])
        go.wait(PATIENCE_SECONDS)
        connection.sendall(whole[first:])

    wild.url("/film.mp4", in_its_time)
    certain = fetcher.submit(url, Deadline(PATIENCE_SECONDS), certain=True)
    until(lambda: len(wild.asked("/film.mp4")) == 2)
    if not (first and tag):  # a question waits for what its server says is another file
        assert Fetcher(fetcher.folder, fetcher.limits).fetch(url, Deadline(PATIENCE_SECONDS)) == known
    assert not certain.done()
    go.set()

    assert certain.result(PATIENCE_SECONDS).path.read_bytes() == OTHER


def test_who_must_be_certain_asks_also_where_a_question_has_asked_in_vain(wild, fetcher):
    url = wild.url("/film.mp4", sent(FILM, 'ETag: "v1"'))
    known = looked_at(fetcher, url, seconds_ago=2 * FRESH_SECONDS)
    wild.url("/film.mp4", sent(b"", status="503 Service Unavailable"))
    assert fetcher.fetch(url, Deadline(PATIENCE_SECONDS)) == known

    with pytest.raises(MediaAwayError, match="too busy"):
        fetcher.fetch(url, Deadline(PATIENCE_SECONDS), certain=True)
    wild.url("/film.mp4", sent(b"", status="304 Not Modified"))
    assert fetcher.fetch(url, Deadline(PATIENCE_SECONDS), certain=True) == known


def test_a_name_that_was_known_once_may_be_found_by_another_try(wild, tmp_path, monkeypatch):
    names = f"localhost:{wild.listener.getsockname()[1]}"
    fetcher = Fetcher(tmp_path / "downloads", DownloadLimits(allowed_hosts=frozenset({names})))
    wild.url("/film.mp4", sent(FILM))
    looked_at(fetcher, f"http://{names}/film.mp4", seconds_ago=2 * FRESH_SECONDS)

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(ssrf.socket, "getaddrinfo", unknown)
    with pytest.raises(MediaAwayError, match="no public address"):
        fetcher.fetch(f"http://{names}/film.mp4", Deadline(PATIENCE_SECONDS), certain=True)
    with pytest.raises(HostUnknownError):
        fetcher.fetch(f"http://{names}/other.mp4", Deadline(PATIENCE_SECONDS), certain=True)
