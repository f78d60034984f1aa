"""file:// stays under the media roots; http(s) stays within size, time, and the public network."""

import hashlib
import http.server
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import (
    BadQuestionError,
    MediaBrokenError,
    MediaMissingError,
    MediaOriginError,
    MediaRefusedError,
    MediaTooLargeError,
    RefusedError,
    StorageFullError,
)
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.stores.files.eviction import CacheLimits, Quota
from pitwall_runtime.stores.files.owners import Owners

CONTENT = b"not a video, but bytes" * 1000


class VideoHandler(http.server.BaseHTTPRequestHandler):
    """A media server with bad habits, by path."""

    def do_GET(self):
        redirects = {
            "/hop": "/film.mp4",
            "/inside": "http://169.254.169.254/latest/meta-data",
            "/unknown": "http://no-such-host.invalid/film.mp4",
            "/file": "file:///etc/passwd",
            "/loop": "/loop",
        }
        drips = {"/endless": (b"x" * 65536, 0), "/slow": (b"x", 0.05)}
        if self.path in redirects:
            self._redirect(redirects[self.path])
        elif self.path in drips:
            self._drip(*drips[self.path])
        elif self.path == "/silent":
            self.server.ended.wait()
        elif self.path == "/film.mp4":
            self._send(200, CONTENT)
        else:
            self._send(404, b"")

    def _send(self, status, body):
        self.server.seen.append((self.path, self.headers["Host"]))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, target):
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()

    def _drip(self, piece, pause):
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(10_000):
                self.wfile.write(piece)
                time.sleep(pause)
        except OSError:
            return

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), VideoHandler)
    server.daemon_threads = True
    server.seen, server.ended = [], threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def resolver(server, tmp_path):
    """In no hurry: a busy machine is not a bad server."""
    allowed = frozenset({f"127.0.0.1:{server.server_port}"})
    root = tmp_path / "media"
    root.mkdir()
    return Resolver((root,), tmp_path / "downloads", DownloadLimits(max_bytes=100_000, allowed_hosts=allowed))


@pytest.fixture
def hasty(resolver):
    limits = replace(resolver.limits, max_seconds=1.0, header_seconds=0.5, read_seconds=0.5)
    return Resolver(resolver.media_roots, resolver.downloads, limits)


def leftovers(resolver):
    return [path.name for path in resolver.downloads.glob(".part-*")]


def test_a_download_is_named_by_its_content(resolver, address, server):
    video = resolver.resolve(f"{address}/film.mp4")
    assert video.content_hash == hashlib.sha256(CONTENT).hexdigest()
    assert video.path.read_bytes() == CONTENT
    assert server.seen == [("/film.mp4", address.removeprefix("http://"))]


def test_the_same_address_is_fetched_once(resolver, address, server):
    assert resolver.resolve(f"{address}/film.mp4") == resolver.resolve(f"{address}/film.mp4")
    assert len(server.seen) == 1


def test_what_a_party_asks_about_is_theirs_from_a_server_and_from_a_media_root(resolver, address, tmp_path):
    (tmp_path / "media" / "film.mp4").write_bytes(CONTENT + b"local")
    for url in (f"{address}/film.mp4", f"file://{tmp_path}/media/film.mp4"):
        video = resolver.submit(url, Deadline(), "web.ann").result()
        assert Owners(tmp_path).of(video.content_hash) == "web.ann"
        assert resolver.resolve(url, party="web.bob") == video
        assert Owners(tmp_path).of(video.content_hash) == "web."


def asked_by_a_runtime(resolver, url):
    return resolver.submit(url, Deadline(), "web.ann").result()


def asked_by_a_worker(resolver, url):
    return resolver.resolve(url, Deadline(), "web.ann")


@pytest.mark.parametrize("ask", [asked_by_a_runtime, asked_by_a_worker])
def test_a_download_under_way_is_whose_it_is(server, address, tmp_path, ask):
    quota = Quota(tmp_path, CacheLimits(100_000))
    limits = DownloadLimits(allowed_hosts=frozenset({f"127.0.0.1:{server.server_port}"}))
    resolver = Resolver((), tmp_path / "downloads", limits, quota)
    for party in ("app.bob", "lab.eve"):
        everybodys = resolver.submit(f"{address}/film.mp4", Deadline(), party).result()
    with quota.bringing("web.ann") as draft:
        (tmp_path / ".part-x").write_bytes(b"x" * 20_000)
        quota.grow(20_000, draft)
        with pytest.raises(StorageFullError, match="this user's videos"):
            ask(resolver, f"{address}/endless")

    assert everybodys.path.exists()


def test_a_film_larger_than_the_whole_cache_is_not_asked_for_again(server, address, tmp_path):
    limits = DownloadLimits(allowed_hosts=frozenset({f"127.0.0.1:{server.server_port}"}))
    resolver = Resolver((), tmp_path / "downloads", limits, Quota(tmp_path, CacheLimits(6000)))
    with pytest.raises(MediaTooLargeError, match="22000 bytes, and the whole cache has room for 6000; send a smaller"):
        resolver.resolve(f"{address}/film.mp4")


class HaltingQuota(Quota):
    """One whose sweeps end when they are let go."""

    begun, let_go = threading.Event(), threading.Event()

    def sweep(self, ahead=0, *, now=None, draft=None):
        self.begun.set()
        assert self.let_go.wait(60)
        return 0


def test_a_sweep_for_one_download_holds_up_no_other_video(server, address, tmp_path):
    quota = HaltingQuota(tmp_path, CacheLimits(100_000))
    limits = DownloadLimits(allowed_hosts=frozenset({f"127.0.0.1:{server.server_port}"}))
    resolver = Resolver((), tmp_path / "downloads", limits, quota)
    Resolver((), tmp_path / "downloads", limits).resolve(f"{address}/film.mp4")
    waiting = resolver.submit(f"{address}/endless", Deadline(), "web.ann")
    assert quota.begun.wait(60)
    assert resolver.submit(f"{address}/film.mp4", Deadline(), "web.bob").result(60).path.exists()
    waiting.cancel()
    quota.let_go.set()


def test_a_redirect_within_bounds_is_followed(resolver, address):
    assert resolver.resolve(f"{address}/hop").path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "refusal", "words"),
    [
        pytest.param("/inside", MediaRefusedError, "no public address", id="redirect-to-metadata"),
        pytest.param("/unknown", MediaRefusedError, "no public address", id="redirect-to-nowhere"),
        pytest.param("/file", MediaRefusedError, "must be http:// or https://", id="redirect-to-a-file"),
        pytest.param("/loop", MediaRefusedError, "redirects more than 3 times", id="redirect-loop"),
        pytest.param("/gone", MediaMissingError, "answered 404", id="not-found"),
        pytest.param("/endless", MediaTooLargeError, "more than 100000 bytes", id="endless"),
    ],
)
def test_what_bad_servers_send_is_refused(resolver, address, path, refusal, words):
    with pytest.raises(refusal, match=words):
        resolver.resolve(address + path)
    assert leftovers(resolver) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("/slow", "longer than the limit of 1 s|sent nothing useful for 0.5 s", id="a-byte-at-a-time"),
        pytest.param("/silent", "sent nothing useful for 0.5 s", id="no-answer"),
    ],
)
def test_slow_servers_are_left_within_the_limits(hasty, address, path, words):
    started = time.monotonic()
    with pytest.raises(MediaOriginError, match=words):
        hasty.resolve(address + path)
    assert time.monotonic() - started < 60  # they would drip and be silent for longer
    assert leftovers(hasty) == []


def test_nobody_listens(resolver, server, address):
    server.shutdown()
    server.server_close()
    with pytest.raises(MediaOriginError, match="cannot be fetched: "):
        resolver.resolve(f"{address}/film.mp4")


def test_a_private_host_is_refused_without_a_connection(resolver, server):
    with pytest.raises(MediaRefusedError, match="no public address"):
        resolver.resolve(f"http://localhost:{server.server_port}/film.mp4")
    assert server.seen == []


@pytest.mark.parametrize("url", ["http://user:secret@127.0.0.1/x", "ftp://example.org/x", "gopher:x", "x", "http://[x"])
def test_strange_addresses_are_refused(resolver, url):
    with pytest.raises(RefusedError):
        resolver.resolve(url)


def test_a_file_under_a_root_is_found_and_its_identity_is_its_content(resolver):
    root = resolver.media_roots[0]
    (root / "a film.mp4").write_bytes(CONTENT)
    (root / "copy.mp4").write_bytes(CONTENT)
    first, second = (resolver.resolve(f"file://{root}/{name}") for name in ("a%20film.mp4", "copy.mp4"))
    assert first.content_hash == second.content_hash == hashlib.sha256(CONTENT).hexdigest()


def test_a_changed_file_has_a_new_identity(resolver):
    path = resolver.media_roots[0] / "film.mp4"
    path.write_bytes(b"one")
    before = resolver.resolve(path.as_uri()).content_hash
    path.write_bytes(b"two!")
    assert resolver.resolve(path.as_uri()).content_hash != before


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        pytest.param("../secret.mp4", MediaRefusedError, id="dot-dot"),
        pytest.param("%2e%2e/secret.mp4", MediaRefusedError, id="dot-dot-encoded"),
        pytest.param("link.mp4", MediaRefusedError, id="link-out-of-the-root"),
        pytest.param("folder/link/secret.mp4", MediaRefusedError, id="linked-folder"),
        pytest.param("pipe", MediaRefusedError, id="not-a-regular-file"),
        pytest.param("folder", MediaRefusedError, id="a-folder"),
        pytest.param("none.mp4", MediaMissingError, id="missing"),
        pytest.param("large.mp4", MediaTooLargeError, id="too-large"),
        pytest.param("a\0b", RefusedError, id="nul-byte"),
        pytest.param("x" * 300, MediaMissingError, id="name-too-long"),
    ],
)
def test_nothing_outside_the_roots_is_read(resolver, tmp_path, name, refusal):
    root = resolver.media_roots[0]
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (root / "folder").mkdir()
    (root / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    (root / "folder" / "link").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    (root / "large.mp4").write_bytes(b"x" * 100_001)
    with pytest.raises(refusal):
        resolver.resolve(f"file://{root}/{name}")


def test_a_remote_host_in_a_file_address_is_refused(resolver):
    with pytest.raises(MediaRefusedError, match="three slashes"):
        resolver.resolve("file://server/share/film.mp4")


def test_every_refusal_has_a_status_and_a_code():
    kinds = [BadQuestionError, MediaRefusedError, MediaMissingError, MediaTooLargeError, MediaBrokenError]
    assert [(kind.status.value, kind.code) for kind in kinds] == [
        (400, "bad_question"),
        (400, "media_refused"),
        (404, "media_missing"),
        (413, "media_too_large"),
        (422, "media_broken"),
    ]


def test_the_local_path_of_the_command_line_needs_no_root(resolver, tmp_path):
    (tmp_path / "mine.mp4").write_bytes(CONTENT)
    assert resolver.local(Path(tmp_path / "mine.mp4")).path.read_bytes() == CONTENT
