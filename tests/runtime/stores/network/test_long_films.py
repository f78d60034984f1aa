"""A long film's rows lie in hundreds of objects: they are asked for side by side, and what came of them is kept."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import numpy as np
import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.media import Embedded, EmbeddingShape
from pitwall_runtime.stores.embeddings.embed_cache import VideoEmbeddings
from pitwall_runtime.stores.embeddings.hot import HotArrays
from pitwall_runtime.stores.embeddings.packing import packed
from pitwall_runtime.stores.network.row_tiers import ObjectRows
from pitwall_runtime.stores.network.shared import Shared, _object_store

pytest.importorskip("obstore")

TOGETHER = 8
OBJECTS = 24
WAITED_SECONDS = 0.3


class ObjectAnswers(BaseHTTPRequestHandler):
    """S3 as far as rows need it. A reading is answered once others are under way beside it, or after a while."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.objects[unquote(self.path).removeprefix("/films/")] = body
        self._answer(200, b"")

    def do_GET(self):
        if "list-type" in self.path:
            prefix = unquote(re.search("prefix=([^&]*)", self.path)[1])
            entries = "".join(
                f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>{len(body)}</Size>"
                "</Contents>"
                for key, body in self.server.objects.items()
                if key.startswith(prefix)
            )
            self._answer(200, f"<ListBucketResult>{entries}</ListBucketResult>".encode())
            return
        body = self.server.objects[unquote(self.path).removeprefix("/films/")]
        start, end = (int(number) for number in re.findall(r"\d+", self.headers["Range"]))
        self.server.read.append(start)
        try:
            self.server.gate.wait(WAITED_SECONDS)
        except threading.BrokenBarrierError:
            self.server.alone = True
        self._answer(206, body[start : end + 1], f"bytes {start}-{end}/{len(body)}")

    def _answer(self, status, body, content_range=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"one"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ObjectServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture
def s3(monkeypatch):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    with ObjectServer(("127.0.0.1", 0), ObjectAnswers) as server:
        server.objects, server.read, server.alone = {}, [], False
        server.gate = threading.Barrier(TOGETHER)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def opened(server):
    return ObjectRows(_object_store(f"s3://films?region=eu-west-1&endpoint=http://127.0.0.1:{server.server_port}"))


def test_heads_and_rows_of_many_objects_are_asked_for_side_by_side(s3):
    rows = {row: f"row {row}".encode() for row in range(OBJECTS)}
    for row, value in rows.items():
        opened(s3).write("v/p/e", {row: value})

    assert opened(s3).read("v/p/e", list(rows)) == rows
    assert not s3.alone


def test_what_an_object_holds_is_read_once_also_where_rows_are_missing(s3):
    for row in range(TOGETHER):
        opened(s3).write("v/p/e", {row: b"here"})
    reader = opened(s3)
    for _ in range(3):
        assert reader.read("v/p/e", [OBJECTS]) == {}
    assert s3.read == [0] * TOGETHER

    opened(s3).write("v/p/e", {OBJECTS: b"new"})
    s3.gate = threading.Barrier(1)
    assert reader.read("v/p/e", [0, OBJECTS]) == {0: b"here", OBJECTS: b"new"}, "what came later is found"


class TiringTier:
    """A tier that answers once, and then no more."""

    name = "tiring"

    def __init__(self, values):
        self.values, self.asked = values, 0
        self.let_go = threading.Event()

    def read(self, _, rows):
        self.asked += 1
        if self.asked > 1:
            self.let_go.wait()
        return {row: self.values[row] for row in rows}

    def write(self, _, rows):
        pass


def test_what_came_before_the_time_was_over_is_kept():
    shape, count = EmbeddingShape(dimension=2, side=1, labels=1), 5000
    ones = Embedded(
        np.ones((count, 2), np.float32), np.ones((count, 1, 1, 2), np.float16), np.zeros((count, 1), np.int16)
    )
    tier = TiringTier(packed(list(range(count)), ones))
    rows = VideoEmbeddings(count, shape, None, HotArrays(1 << 20), "k", lambda _: None, Shared((tier,)), "p")
    brought = rows.bring(list(range(count)), Deadline(2.0))["tiring"]
    tier.let_go.set()

    assert 0 < brought < count
    assert len(rows.missing(range(count))) == count - brought
