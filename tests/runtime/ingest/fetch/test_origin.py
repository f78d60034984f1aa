"""Servers of the world, from a login page to one that never finishes its headers: each ends in time, in clear words."""

import bz2
import contextlib
import gzip
import lzma
import socket
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import httpx
import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import (
    MediaAwayError,
    MediaMissingError,
    MediaOriginError,
    MediaTooLargeError,
    NotAVideoError,
    TooLateError,
)
from pitwall_runtime.ingest.fetch import ssrf
from pitwall_runtime.ingest.fetch.addresses import FRESH_SECONDS
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.fetch.fetcher import Fetcher
from pitwall_runtime.ingest.fetch.origin import refuse_status, shown, what_else, what_failed


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers))
    return head.encode() + b"\r\n" + body


BODY = b"\0\0\0\x20ftypisom" + bytes(5000)
DEADLINE_SECONDS = 60.0
"""Far beyond every limit below, and what a hang would take."""


def limits(wild, **more) -> DownloadLimits:
    """In no hurry: a busy machine is no bad server."""
    return DownloadLimits(**{"allowed_hosts": frozenset({wild.host}), **more})


def files(fetcher: Fetcher) -> list[str]:
    """What lies in the folder of the downloads, drafts included."""
    return [path.name for path in fetcher.folder.rglob("*") if path.is_file() and path.parent.name != "addresses"]


@pytest.fixture
def fetcher(wild, tmp_path):
    return Fetcher(tmp_path / "downloads", limits(wild))


def test_what_unpacks_to_far_more_than_it_is_takes_no_more_memory_than_the_limit(wild, tmp_path):
    bomb = gzip.compress(b"\0\0\0\x20ftypisom" + bytes(100 << 20))
    fetcher = Fetcher(tmp_path / "downloads", limits(wild, max_bytes=1 << 20))
    tracemalloc.start()

    with pytest.raises(MediaTooLargeError):
        fetcher.fetch(wild.url("/film.mp4", response(bomb, "Content-Encoding: gzip")), Deadline(DEADLINE_SECONDS))
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("coding", "body", "words"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), "packs the file"),
        ("br", BODY, "packs the file"),
        ("aws-chunked, zstd", BODY, "packs the file"),
        ("deflate", BODY, "sends something else"),
        ("gzip", BODY, "sends something else"),
        ("gzip", gzip.compress(BODY)[:-9], "before the end of the file"),
    ],
    ids=["twice", "unknown", "of a list", "no deflate", "not at all", "cut off"],
)
def test_what_cannot_be_unpacked_is_told(wild, fetcher, coding, body, words):
    with pytest.raises(MediaOriginError, match=words):
        fetcher.fetch(wild.url("/film.mp4", response(body, f"Content-Encoding: {coding}")), Deadline(DEADLINE_SECONDS))


def test_comments_before_a_page_cost_no_time():
    assert what_else(b"<!---->" * 140 + b"<svg>") is not None
    assert what_else(b"<!-- a -->" * 100) is not None


def deflated(body):
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(body) + packing.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        pytest.param("gzip", gzip.compress(BODY), id="gzip"),
        pytest.param("X-GZIP", gzip.compress(BODY), id="gzip by its old name"),
        pytest.param("aws-chunked,gzip", gzip.compress(BODY), id="gzip in a list"),
        pytest.param("gzip", gzip.compress(BODY[:99]) + gzip.compress(BODY[99:]), id="gzip of several members"),
        pytest.param("gzip", gzip.compress(BODY[:99]) + bytes(9) + gzip.compress(BODY[99:]), id="padded members"),
        pytest.param("gzip", gzip.compress(BODY) + b"\x1f and so on", id="something behind it"),
        pytest.param("deflate", zlib.compress(BODY), id="deflate"),
        pytest.param("deflate", deflated(BODY), id="deflate without a header"),
    ],
)
@pytest.mark.parametrize("size", [1 << 20, 1], ids=["at once", "byte by byte"])
def test_what_a_server_packs_though_it_was_asked_not_to_is_unpacked(wild, fetcher, coding, body, size):
    def talk(connection, _):
        whole = response(body, f"Content-Encoding: {coding}")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(whole), size):
            connection.sendall(whole[start : start + size])

    url = wild.url("/film.mp4", talk)
    assert fetcher.fetch(url, Deadline(DEADLINE_SECONDS)).path.read_bytes() == BODY


@pytest.mark.parametrize("coding", ["aws-chunked", "none", "UTF-8", "binary", "identity, identity", "", "8bit"])
def test_what_is_called_a_packing_and_is_none_is_the_file(wild, fetcher, coding):
    url = wild.url("/film.mp4", response(BODY, f"Content-Encoding: {coding}"))
    assert fetcher.fetch(url, Deadline(DEADLINE_SECONDS)).path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("status", "headers", "is_all"),
    [
        ("203 Non-Authoritative Information", (), True),
        ("206 Partial Content", (f"Content-Range: bytes 0-{len(BODY) - 1}/{len(BODY)}",), True),
        ("206 Partial Content", (f"Content-Range: bytes 0-{len(BODY) - 1}/{len(BODY) + 1}",), False),
        ("206 Partial Content", (f"Content-Range: bytes 1-{len(BODY)}/{len(BODY) + 1}",), False),
        ("206 Partial Content", (f"Content-Range: bytes 0-{len(BODY) - 1}/*",), False),
        ("202 Accepted", (), False),
    ],
)
def test_an_answer_is_a_film_if_it_holds_all_of_it(wild, fetcher, status, headers, is_all):
    url = wild.url("/film.mp4", response(BODY, *headers, status=status))
    if is_all:
        assert fetcher.fetch(url, Deadline(DEADLINE_SECONDS)).path.read_bytes() == BODY
    else:
        with pytest.raises(MediaOriginError, match="not with a file"):
            fetcher.fetch(url, Deadline(DEADLINE_SECONDS))


@pytest.mark.parametrize(
    ("answer", "refusal", "words"),
    [
        pytest.param(response(b"", status="401 Unauthorized"), MediaOriginError, "without a login", id="401"),
        pytest.param(response(b"", status="403 Forbidden"), MediaOriginError, "signed address", id="403"),
        pytest.param(response(b"", status="402 Payment Required"), MediaOriginError, "to be paid", id="402"),
        pytest.param(response(b"", status="451 Legal"), MediaOriginError, "for legal reasons", id="451"),
        pytest.param(response(b"", status="404 Not Found"), MediaMissingError, "check the address", id="404"),
        pytest.param(response(b"", status="410 Gone"), MediaMissingError, "no such file", id="410"),
        pytest.param(
            response(b"", "Retry-After: 7", status="429 Too Many Requests"), MediaOriginError, "after 7 s", id="429"
        ),
        pytest.param(response(b"", status="500 Internal Server Error"), MediaOriginError, "server fails", id="500"),
        pytest.param(response(b"", status="503 Service Unavailable"), MediaOriginError, "too busy", id="503"),
        pytest.param(response(b"", status="206 Partial Content"), MediaOriginError, "not with a file", id="206"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\n\r\n", MediaOriginError, "without conditions", id="304 unasked"),
        pytest.param(
            response(b"<!DOCTYPE html><title>Sign in</title>"), NotAVideoError, "a web page, perhaps a login", id="html"
        ),
        pytest.param(
            response(b"\xef\xbb\xbf\n<HTML>" + bytes(3000)), NotAVideoError, "web page", id="html with a mark"
        ),
        *(
            pytest.param(response(text), NotAVideoError, words, id=f"{words} {number}")
            for words, texts in {
                "a web page": (
                    b"\n<!-- x -->\n<html>",
                    b"<script>location='/'</script>",
                    b"<head>",
                    "\ufeff<HTML>".encode("utf-16-le"),
                ),
                "an XML document": (b"<Error><Code>AccessDenied</Code>", b"<MPD xmlns='urn:mpeg:dash'>"),
                "a JSON document": (b'{\n "error": 1}', b'[{"error": 1}]'),
            }.items()
            for number, text in enumerate(texts)
        ),
        pytest.param(response(b""), NotAVideoError, "is empty", id="empty"),
        pytest.param(response(gzip.compress(BODY)), NotAVideoError, "compressed with gzip", id="gzip"),
        *(
            pytest.param(response(body + bytes(2000)), NotAVideoError, "archive or compressed: unpack", id=name)
            for name, body in {
                "bzip2": bz2.compress(BODY),
                "xz": lzma.compress(BODY),
                "zstd": b"\x28\xb5\x2f\xfd\x04\x00",
                "7z": b"7z\xbc\xaf\x27\x1c\x00\x04",
                "rar": b"Rar!\x1a\x07\x01\x00",
                "an empty zip": b"PK\x05\x06",
                "tar": b"film.mp4".ljust(257, b"\0") + b"ustar\0",
            }.items()
        ),
        *(
            pytest.param(response(b"", status=status), MediaAwayError, "did not take the request; ask again", id=status)
            for status in ("408 Request Timeout", "421 Misdirected Request", "425 Too Early")
        ),
        pytest.param(
            response(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
            NotAVideoError,
            "git lfs pull",
            id="lfs",
        ),
        pytest.param(response(b"#EXTM3U\n#EXT-X-VERSION:3\n"), NotAVideoError, "playlist", id="playlist"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + BODY,
            MediaOriginError,
            "cannot be fetched: its server hung up before the end of the file",
            id="cut off",
        ),
        pytest.param(
            b"SSH-2.0-OpenSSH_9.2\r\n", MediaOriginError, "server (does not speak HTTP|hung up)", id="not http"
        ),
        pytest.param(b"\0" * 40 + b"\r\n\r\n", MediaOriginError, "does not speak HTTP; check", id="garbage"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\0: y\r\n\r\n",
            MediaOriginError,
            "does not speak HTTP; check",
            id="garbage in a header",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            MediaOriginError,
            "does not speak HTTP; check",
            id="garbage in a body",
        ),
        pytest.param(b"HTTP/1.1 101 Switching\r\n\r\n", MediaOriginError, "does not speak HTTP; check", id="101"),
        pytest.param(b"", MediaOriginError, "hung up without an answer", id="hangs up"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2_000_000, MediaOriginError, "cannot be fetched", id="2 MB of header"
        ),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
            MediaOriginError,
            "no address that can be",
            id="nowhere",
        ),
        pytest.param(
            "HTTP/1.1 302 Found\r\nLocation: http://a\u2100.org/\r\n\r\n".encode(),
            MediaOriginError,
            "redirects to what is no address",
            id="nowhere by name",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n",
            MediaOriginError,
            "does not speak HTTP",
            id="negative length",
        ),
    ],
)
def test_what_a_server_answers_is_told_in_the_askers_terms(wild, fetcher, answer, refusal, words):
    with pytest.raises(refusal, match=words) as told:
        fetcher.fetch(wild.url("/film.mp4?token=secret", answer), Deadline(DEADLINE_SECONDS))
    assert 400 <= told.value.status < 500, "the asker's server is not the variant's fault"
    assert "secret" not in told.value.message
    assert not [inside for inside in ("bytearray", "Error", "Errno", "_ssl", "buffer") if inside in told.value.message]
    assert files(fetcher) == []


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        ("7", "after 7 s"),
        ("007", "after 7 s"),
        ("86400", "after 86400 s"),
        ("86401", "in a minute"),
        ("7" * 5000, "in a minute"),
        ("0", "in a minute"),
        ("-1", "in a minute"),
        ("\u0667", "in a minute"),
        ("", "in a minute"),
        pytest.param("Wed, 21 Oct 2026 07:28:30 GMT", "after 30 s", id="a date"),
        pytest.param("Wednesday, 21-Oct-26 07:29:00 GMT", "after 60 s", id="a date of RFC 850"),
        pytest.param("Wed Oct 21 07:29:00 2026", "after 60 s", id="a date of asctime"),
        pytest.param("Thu, 22 Oct 2026 07:28:00 GMT", "after 86400 s", id="a date in a day"),
        pytest.param("Thu, 22 Oct 2026 07:28:01 GMT", "in a minute", id="a date beyond a day"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", "in a minute", id="now"),
        pytest.param("Wed, 21 Oct 2020 07:28:00 GMT", "in a minute", id="the past"),
        pytest.param("Wed, 99 Oct 2026 07:28:00 GMT", "in a minute", id="no date"),
        pytest.param("Wed, 21 Oct 99999 07:28:00 GMT", "in a minute", id="a year that is none"),
        pytest.param("Wed, " * 1000, "in a minute", id="much of a date"),
    ],
)
def test_a_busy_server_is_believed_for_a_day_at_most(pause, words):
    with pytest.raises(MediaOriginError, match=f"ask again {words}$"):
        refuse_status(429, "http://host/film.mp4", pause, "Wed, 21 Oct 2026 07:28:00 GMT")


@pytest.mark.parametrize("date", ["", "soon", "x" * 5000])
def test_without_a_clock_of_the_server_its_date_is_one_of_ours(date):
    pause = formatdate(time.time() + 1000, usegmt=True)
    with pytest.raises(MediaOriginError, match=r"ask again after (9[0-9]{2}|1000) s$"):
        refuse_status(503, "http://host/film.mp4", pause, date)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "no TLS connection"),
        (httpx.ConnectError("All connection attempts failed [10.0.0.1]"), "no connection can be made to its server"),
        (httpx.ReadError("[Errno 104] Connection reset by peer"), "the connection to its server broke"),
        (httpx.InvalidURL("Invalid port"), "no address that can be asked for"),
        (ValueError("Invalid IPv6 URL"), "no address that can be asked for"),
    ],
)
def test_a_librarys_words_are_not_told(error, words):
    assert words in what_failed(error)
    assert str(error) not in what_failed(error)


def slow_header(connection, wild):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Slow: " + b"x" * 100_000:
        connection.sendall(bytes([byte]))
        if wild.ended.wait(0.02):
            return


def endless_interim(connection, wild):
    while not wild.ended.wait(0.02):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


def flood_of_interim(connection, wild):
    while not wild.ended.is_set():
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000)


def silent(_, wild):
    wild.ended.wait()


def drip(connection, wild):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\0\0\0\x20ftypisom")
    while not wild.ended.wait(0.05):
        connection.sendall(b"x")


def stalls(connection, wild):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + BODY)
    wild.ended.wait()


def test_interim_responses_without_end_are_left_at_once(wild, tmp_path):
    """Each costs time of the one thread that all downloads share."""
    patient = limits(wild, max_seconds=60.0, header_seconds=60.0, read_seconds=60.0)
    with pytest.raises(MediaOriginError, match="cannot be fetched"):
        Fetcher(tmp_path, patient).fetch(wild.url("/film.mp4", flood_of_interim), Deadline(DEADLINE_SECONDS))


WAYS_TO_HANG = [slow_header, endless_interim, silent, drip, stalls]


@pytest.mark.parametrize("talk", WAYS_TO_HANG, ids=lambda talk: talk.__name__)
def test_a_server_that_never_finishes_ends_at_the_limits(wild, tmp_path, talk):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=2.0, header_seconds=0.5, read_seconds=0.5))
    started = time.monotonic()
    with pytest.raises(MediaOriginError, match="use a faster server"):
        fetcher.fetch(wild.url("/film.mp4", talk), Deadline(DEADLINE_SECONDS))
    assert time.monotonic() - started < DEADLINE_SECONDS / 2
    assert files(fetcher) == []


@pytest.mark.parametrize("talk", WAYS_TO_HANG, ids=lambda talk: talk.__name__)
def test_the_questions_deadline_ends_it_before_the_limits(wild, tmp_path, talk):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0, header_seconds=500.0, read_seconds=500.0))
    with pytest.raises(MediaOriginError, match=r"within the question's 0\.3 s"):
        fetcher.fetch(wild.url("/film.mp4", talk), Deadline(0.3))


def test_an_asker_who_leaves_stops_the_download(wild, fetcher):
    deadline = Deadline(DEADLINE_SECONDS)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(fetcher.fetch, wild.url("/film.mp4", drip), deadline)
        until(lambda: wild.asked("/film.mp4"))
        deadline.give_up()
        with pytest.raises(TooLateError, match="has left"):
            waiting.result(timeout=DEADLINE_SECONDS)
    until(lambda: wild.open_now == 0)
    assert files(fetcher) == []


def test_a_slow_server_does_not_hold_up_another(wild, other_wild, tmp_path):
    """A host that drips, asked more often than there are places for one host, and a film from another."""
    slow = other_wild
    fetcher = Fetcher(
        tmp_path, limits(wild, max_seconds=500.0, per_host=2, allowed_hosts=frozenset({wild.host, "localhost"}))
    )
    address = slow.url("/").replace("127.0.0.1", "localhost")
    stuck = []
    for number in range(10):
        slow.url(f"/{number}", drip)
        stuck.append(fetcher.submit(f"{address}{number}", Deadline(DEADLINE_SECONDS)))
    until(lambda: slow.open_now == 2)
    video = fetcher.fetch(wild.url("/film.mp4", response(BODY)), Deadline(DEADLINE_SECONDS))
    for future in stuck:
        future.cancel()
    until(lambda: slow.open_now == 0)
    assert video.path.read_bytes() == BODY
    assert slow.most_at_once == 2


@pytest.mark.parametrize(
    ("bound", "parties"),
    [
        pytest.param({"per_user": 2}, ["web.loud"], id="one user"),
        pytest.param({"per_caller": 2}, ["web.one", "web.two", "web.three", "web."], id="users of one application"),
    ],
)
def test_nobody_takes_all_places_for_downloads(wild, tmp_path, bound, parties):
    """Two users' slow downloads once filled all places, and what others asked then were a candidate's errors."""
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0, per_host=20, at_once=4, per_user_and_host=9, **bound))
    stuck = [
        fetcher.submit(wild.url(f"/{number}", drip), Deadline(DEADLINE_SECONDS), parties[number % len(parties)])
        for number in range(8)
    ]
    until(lambda: wild.open_now == 2)
    film = wild.url("/film.mp4", response(BODY))
    video = fetcher.submit(film, Deadline(DEADLINE_SECONDS), "other.quiet").result(DEADLINE_SECONDS)
    assert video.path.read_bytes() == BODY
    assert wild.open_now == 2
    for future in stuck:
        future.cancel()
    until(lambda: wild.open_now == 0)


def test_nobody_waits_behind_the_slow_downloads_of_who_named_the_same_address_first(wild, tmp_path):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0, per_host=20, per_user=1, per_user_and_host=9))
    popular = wild.url("/film.mp4", response(BODY))
    stuck = [fetcher.submit(wild.url("/slow.mp4", drip), Deadline(DEADLINE_SECONDS), "web.loud")]
    until(lambda: wild.asked("/slow.mp4"))
    stuck.append(fetcher.submit(popular, Deadline(DEADLINE_SECONDS), "web.loud"))

    video = fetcher.submit(popular, Deadline(DEADLINE_SECONDS), "web.quiet").result(DEADLINE_SECONDS)

    assert video.path.read_bytes() == BODY
    assert stuck[1].result(DEADLINE_SECONDS) == video
    stuck[0].cancel()
    until(lambda: wild.open_now == 0)


@pytest.mark.parametrize(
    "bound",
    [
        pytest.param({"per_user_and_host": 1}, id="of one user at the host"),
        pytest.param({"per_user_and_host": 9, "per_host": 2}, id="of one caller at the host"),
        pytest.param({"per_user_and_host": 9, "per_caller": 1}, id="of one caller"),
    ],
)
def test_nor_behind_their_other_downloads(wild, tmp_path, bound):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0, **bound))
    popular = wild.url("/film.mp4", response(BODY))
    slow = fetcher.submit(wild.url("/slow.mp4", drip), Deadline(DEADLINE_SECONDS), "web.loud")
    until(lambda: wild.asked("/slow.mp4"))
    theirs = fetcher.submit(popular, Deadline(DEADLINE_SECONDS), "web.loud")
    time.sleep(0.05)
    assert not wild.asked("/film.mp4")

    video = fetcher.submit(popular, Deadline(DEADLINE_SECONDS), "app.quiet").result(10)

    assert video.path.read_bytes() == BODY
    assert theirs.result(10) == video
    slow.cancel()
    until(lambda: wild.open_now == 0)


def test_who_has_a_download_begin_and_leaves_it_to_another_has_no_place_for_the_next(wild, tmp_path):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0))
    shared, own = wild.url("/shared.mp4", drip), wild.url("/own.mp4", drip)
    left = fetcher.submit(shared, Deadline(DEADLINE_SECONDS), "web.eve")
    until(lambda: wild.asked("/shared.mp4"))
    kept = fetcher.submit(shared, Deadline(DEADLINE_SECONDS), "web.eva")
    left.cancel()
    more = fetcher.submit(own, Deadline(DEADLINE_SECONDS), "web.eve")
    other = fetcher.submit(wild.url("/film.mp4", response(BODY)), Deadline(DEADLINE_SECONDS), "web.ann")
    assert other.result(10).path.read_bytes() == BODY
    assert not wild.asked("/own.mp4")
    kept.cancel()
    until(lambda: wild.asked("/own.mp4"))
    more.cancel()
    until(lambda: wild.open_now == 0)


def name_threads() -> int:
    return sum(one.name.startswith("names") for one in threading.enumerate())


def test_a_name_server_that_never_answers_holds_up_nobody_else(wild, tmp_path, monkeypatch):
    """A few questions with invented names, each given up at once, once held up films that were known."""
    ended, real = threading.Event(), socket.getaddrinfo
    monkeypatch.setattr(
        ssrf.socket, "getaddrinfo", lambda host, *more, **named: ended.wait(DEADLINE_SECONDS) and []
        if host.endswith(".invalid") else real(host, *more, **named),
    )  # fmt: skip
    fetcher, before = Fetcher(tmp_path, limits(wild)), name_threads()
    known = wild.url("/known.mp4", response(BODY))
    fetcher.fetch(known, Deadline(DEADLINE_SECONDS))
    for number in range(40):
        given_up = fetcher.submit(f"http://x{number}.invalid/", Deadline(DEADLINE_SECONDS), "web.loud")
        with contextlib.suppress(TimeoutError):
            given_up.result(timeout=0.02)
        given_up.cancel()
    try:
        for url in (known, wild.url("/film.mp4", response(BODY))):
            assert fetcher.submit(url, Deadline(DEADLINE_SECONDS), "web.quiet").result(10).path.read_bytes() == BODY
        assert name_threads() - before <= 6
    finally:
        ended.set()


def test_one_user_does_not_take_all_places_at_a_host(wild, tmp_path):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0, per_host=3))
    stuck = [fetcher.submit(wild.url(f"/{n}", drip), Deadline(DEADLINE_SECONDS), "web.loud") for n in range(3)]
    until(lambda: wild.open_now == 1)
    film = wild.url("/film.mp4", response(BODY))
    video = fetcher.submit(film, Deadline(DEADLINE_SECONDS), "web.quiet").result(DEADLINE_SECONDS)
    assert video.path.read_bytes() == BODY
    assert wild.open_now == 1
    for future in stuck:
        future.cancel()
    until(lambda: wild.open_now == 0)


def test_who_would_wait_too_long_for_a_host_is_told_at_once(wild, tmp_path):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0, per_host=1, waiting_per_host=3))
    stuck = [fetcher.submit(wild.url(f"/{number}", drip), Deadline(DEADLINE_SECONDS)) for number in range(3)]
    until(lambda: wild.open_now == 1)
    with pytest.raises(MediaOriginError, match=r"3 downloads from '127\.0\.0\.1' are under way or waiting"):
        fetcher.fetch(wild.url("/one-more", response(BODY)), Deadline(DEADLINE_SECONDS))
    for future in stuck:
        future.cancel()
    wild.url("/again", response(BODY))
    until(lambda: fetched(fetcher, wild.url("/again")))


def crowd(fetcher, wild, users, each):
    """Slow downloads of users of one caller, as many as each asks for; those of the first three are under way."""
    futures = []
    for number in range(each):
        for user in range(users):
            url = wild.url(f"/{user}-{number}", drip)
            futures.append(fetcher.submit(url, Deadline(DEADLINE_SECONDS), f"web.{user}"))
            until(lambda: len(wild.requests) >= min(3, len(futures)))
    return futures


def test_many_slow_downloads_from_one_host_close_it_for_nobody_else(wild, tmp_path):
    """Twenty-four of three users once did, for an hour if they liked, and for films that were here already."""
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0))
    known, new = wild.url("/known.mp4", response(BODY)), wild.url("/new.mp4", response(BODY))
    fetcher.submit(known, Deadline(DEADLINE_SECONDS), "web.ann").result(DEADLINE_SECONDS)
    stuck = crowd(fetcher, wild, users=8, each=8)

    for url, party in ((known, "web.ann"), (known, "web.0"), (new, "app.bob")):
        assert fetcher.submit(url, Deadline(DEADLINE_SECONDS), party).result(10).path.read_bytes() == BODY
    assert wild.open_now == 3
    for future in stuck:
        future.cancel()
    until(lambda: wild.open_now == 0)


def test_within_one_caller_the_next_user_has_the_next_place_at_a_host(wild, tmp_path):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0))
    stuck = crowd(fetcher, wild, users=3, each=8)
    waiting = fetcher.submit(wild.url("/film.mp4", response(BODY)), Deadline(DEADLINE_SECONDS), "web.ann")
    for future in stuck[:2]:  # the first place may be free before the film is in line
        begun = len(wild.requests)
        future.cancel()
        until(lambda begun=begun: len(wild.requests) > begun)

    assert waiting.result(10).path.read_bytes() == BODY
    for future in stuck:
        future.cancel()
    until(lambda: wild.open_now == 0)


@pytest.mark.parametrize(
    ("bound", "parties", "words"),
    [
        pytest.param({"waiting_per_user": 4}, ["web.loud"], "4 downloads of this user are .* and 4 may", id="a user"),
        pytest.param(
            {"waiting_per_caller": 4}, ["web.a", "web.b", "web."], "4 downloads of this caller are", id="a caller"
        ),
    ],
)
def test_who_waits_for_too_many_is_refused_alone(wild, tmp_path, bound, parties, words):
    fetcher = Fetcher(tmp_path, limits(wild, max_seconds=500.0, **bound))
    stuck = [
        fetcher.submit(wild.url(f"/{number}", drip), Deadline(DEADLINE_SECONDS), parties[number % len(parties)])
        for number in range(4)
    ]
    until(lambda: wild.open_now == len(parties))
    film = wild.url("/film.mp4", response(BODY))

    with pytest.raises(MediaOriginError, match=words):
        fetcher.submit(film, Deadline(DEADLINE_SECONDS), parties[0]).result(10)
    assert fetcher.submit(film, Deadline(DEADLINE_SECONDS), "app.quiet").result(10).path.read_bytes() == BODY
    assert fetcher.submit(film, Deadline(DEADLINE_SECONDS), parties[0]).result(10).path.read_bytes() == BODY
    for future in stuck:
        future.cancel()
    until(lambda: wild.open_now == 0)
    assert fetcher.submit(wild.url("/2", response(BODY)), Deadline(DEADLINE_SECONDS), parties[0]).result(10)


def fetched(fetcher, url) -> bool:
    try:
        return fetcher.fetch(url, Deadline(DEADLINE_SECONDS)).path.is_file()
    except MediaOriginError:
        return False


def test_twenty_who_ask_for_one_address_cause_one_download(wild, fetcher):
    go = threading.Event()

    def talk(connection, _):
        go.wait(DEADLINE_SECONDS)
        connection.sendall(response(BODY))

    url = wild.url("/film.mp4", talk)
    futures = [fetcher.submit(url, Deadline(DEADLINE_SECONDS)) for _ in range(20)]
    futures[0].cancel()
    go.set()
    assert {future.result(timeout=DEADLINE_SECONDS).path.read_bytes() for future in futures[1:]} == {BODY}
    assert len(wild.requests) == 1


def test_an_unchanged_file_is_asked_for_and_not_sent_again(wild, tmp_path, monkeypatch):
    def talk(connection, server):
        known = server.requests[-1][1].get("if-none-match") == '"v1"'
        connection.sendall(
            b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n' if known else response(BODY, 'ETag: "v1"')
        )

    url = wild.url("/film.mp4", talk)
    first = Fetcher(tmp_path, limits(wild)).fetch(url, Deadline(DEADLINE_SECONDS))
    fresh = Fetcher(tmp_path, limits(wild)).fetch(url, Deadline(DEADLINE_SECONDS))
    assert (fresh, len(wild.requests)) == (first, 1), "another process finds it fresh"

    later = time.time() + FRESH_SECONDS + 1
    monkeypatch.setattr("time.time", lambda: later)
    again = Fetcher(tmp_path, limits(wild)).fetch(url, Deadline(DEADLINE_SECONDS))
    assert (again, wild.requests[-1][1]["if-none-match"]) == (first, '"v1"')

    first.path.unlink()
    assert Fetcher(tmp_path, limits(wild)).fetch(url, Deadline(DEADLINE_SECONDS)).path.read_bytes() == BODY
    assert "if-none-match" not in wild.requests[-1][1], "what is gone cannot be unchanged"


def test_a_changed_file_is_fetched_anew(wild, tmp_path, monkeypatch):
    bodies = [BODY, BODY + b"more"]
    url = wild.url(
        "/film.mp4", lambda connection, server: connection.sendall(response(bodies[len(server.requests) - 1]))
    )
    first = Fetcher(tmp_path, limits(wild)).fetch(url, Deadline(DEADLINE_SECONDS))
    monkeypatch.setattr("time.time", lambda: first.path.stat().st_mtime + 2 * FRESH_SECONDS)
    assert Fetcher(tmp_path, limits(wild)).fetch(url, Deadline(DEADLINE_SECONDS)).path.read_bytes() == bodies[1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"hash": 1}', '{"hash": "x", "validators": 7, "checkedAt": "y"}'])
def test_a_damaged_memory_of_addresses_costs_a_download(wild, fetcher, content):
    url = wild.url("/film.mp4", response(BODY))
    fetcher.fetch(url, Deadline(DEADLINE_SECONDS))
    next((fetcher.folder / "addresses").iterdir()).write_text(content)
    assert fetcher.fetch(url, Deadline(DEADLINE_SECONDS)).path.read_bytes() == BODY
    assert len(wild.requests) == 2


def test_what_turned_out_to_be_no_video_does_not_stay(wild, fetcher):
    video = fetcher.fetch(wild.url("/film.mp4", response(BODY)), Deadline(DEADLINE_SECONDS))
    fetcher.forget(video)
    assert files(fetcher) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://h/a.mp4?X-Amz-Signature=abc#t", "'https://h/a.mp4?…'"),
        ("http://[x?key=abc", "'http://[x'"),
        ("https://ann:secret@h/a.mp4", "'https://…@h/a.mp4'"),
        ("https://ann:se@cret@h/a@b.mp4", "'https://…@h/a@b.mp4'"),
        ("http://ann:secret@[x/a.mp4", "'http://…@[x/a.mp4'"),
        ("https://h/a@b.mp4", "'https://h/a@b.mp4'"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, words):
    assert shown(url) == words


def until(condition, seconds=DEADLINE_SECONDS):
    latest = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < latest, "this was waited for in vain"
        time.sleep(0.005)
