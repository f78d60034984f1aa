"""Following a namespace's EndpointSlices over real HTTP, from an API server that misbehaves in every known way."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pitwall_crds.host.backoff import Backoff
from pitwall_gateway.pools.endpoints import EndpointFollower, Pace, RoutesFile
from pitwall_gateway.pools.slices import Slice

QUICK = Pace(
    list_seconds=1.5, watch_seconds=1, slack_seconds=0.1, backoff=Backoff(0.02, 0.05, spread=(0.5, 1.0)),
    write_seconds=0.001,
)  # fmt: skip


def a_slice(name: str = "aks-v2-x", version: str = "7", address: str = "10.0.0.1", pods: int = 1) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "pitwall", "pitwall.dev/variant": "aks-v2", "pitwall.dev/pool": "main"}
    labels["kubernetes.io/service-name"] = "aks-v2"
    owner = {"kind": "Service", "name": "aks-v2", "controller": True}
    endpoints = [{"addresses": [address], "targetRef": {"uid": f"pod-{number}"}} for number in range(pods)]
    return {
        "metadata": {"name": name, "labels": labels, "resourceVersion": version, "ownerReferences": [owner]},
        "ports": [{"name": "http", "port": 8000}],
        "endpoints": endpoints,
    }


def event(kind: str, slice_: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": slice_}


class EndpointsApiServer:
    """Answers lists with `items`, and each watch with the next of `watches`; the last one is held open."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = [a_slice()]
        self.watches: list[Callable[[web.StreamResponse], Any]] = []
        self.refusals: list[tuple[int, str]] = []
        self.lists = 0
        self.asked: list[dict[str, str]] = []
        self.hangs = self.hangs_before_watches = False
        self.ended = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            status, words = self.refusals.pop(0)
            return web.Response(status=status, text=words)
        if "watch" not in request.query:
            self.lists += 1
            if self.hangs:
                await self.ended.wait()
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": self.items})
        self.asked.append(dict(request.query))
        if self.hangs_before_watches:
            await self.ended.wait()
        response = web.StreamResponse()
        await response.prepare(request)
        if self.watches:
            await self.watches.pop(0)(response)
        else:
            await self.ended.wait()
        return response


def lines(*events: dict[str, Any] | bytes) -> Callable[[web.StreamResponse], Any]:
    """A watch that sends these events and ends."""

    async def send(response: web.StreamResponse) -> None:
        for each in events:
            await response.write(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n")

    return send


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EndpointsApiServer]:
    server = EndpointsApiServer()
    app = web.Application()
    app.router.add_get("/apis/discovery.k8s.io/v1/namespaces/video/endpointslices", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": url}}], "users": [{"name": "x", "user": {}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield server
    server.ended.set()
    await runner.cleanup()


class Followed:
    """A follower and the file that it writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.follower = EndpointFollower("video", path, QUICK)

    def urls(self) -> list[str] | None:
        if not self.path.exists():
            return None
        return json.loads(self.path.read_text())["variants"].get("aks-v2", {}).get("stable")

    async def until(self, claim: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not claim():  # noqa: ASYNC110 - files and logs have no event
                await asyncio.sleep(0.005)

    async def shows(self, *addresses: str) -> None:
        wanted = [f"http://{address}:8000" for address in addresses]
        await self.until(lambda: self.urls() == wanted)


@pytest.fixture
async def followed(server: EndpointsApiServer, tmp_path: Path) -> AsyncIterator[Followed]:
    followed = Followed(tmp_path / "gateway" / "routes.json")
    yield followed
    await followed.follower.close()


async def test_the_list_is_written_and_the_watch_goes_on_from_its_version(server, followed):
    followed.follower.start()
    await followed.shows("10.0.0.1")
    await followed.until(lambda: server.asked)

    assert server.asked[0]["resourceVersion"] == "7"
    assert server.asked[0]["labelSelector"] == "app.kubernetes.io/managed-by=pitwall"


async def test_changes_are_taken_in_and_a_bookmark_moves_the_version_only(server, followed):
    server.watches = [
        lines(
            event("MODIFIED", a_slice(version="8", address="10.0.0.2")),
            event("ADDED", a_slice("aks-v2-y", version="9", address="10.0.0.3") | {"endpoints": []}),
            event("BOOKMARK", {"metadata": {"resourceVersion": "12"}}),
        )
    ]
    followed.follower.start()
    await followed.shows("10.0.0.2")
    await followed.until(lambda: len(server.asked) == 2)

    assert server.asked[1]["resourceVersion"] == "12"
    assert server.lists == 1


async def test_a_deleted_slice_takes_its_pods_along_and_an_unknown_one_is_no_fault(server, followed):
    server.watches = [lines(event("DELETED", a_slice("never")), event("DELETED", a_slice(version="8")))]
    followed.follower.start()
    await followed.until(lambda: followed.path.exists() and json.loads(followed.path.read_text()) == {"variants": {}})

    assert server.lists == 1


FAILURES = [
    pytest.param(
        lines({"type": "ERROR", "object": {"code": 410, "message": "too old"}}), id="the version is gone in mid-watch"
    ),
    pytest.param(lines({"type": "ERROR", "object": {"code": 500, "message": "etcd"}}), id="the watch ends with a 500"),
    pytest.param(lines(b"<html>\n"), id="a proxy's page in place of events"),
    pytest.param(lines(b'{"type": "MODIFIED"}\n'), id="an event about nothing"),
    pytest.param(lines(b'{"type": "MODIFIED", "obj'), id="a line that is cut in the middle"),
    pytest.param(lines({"type": "MOVED", "object": a_slice()}), id="an event of a kind that is none"),
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_after_a_watch_that_fails_everything_is_listed_anew(server, followed, failure):
    async def change_and_fail(response: web.StreamResponse) -> None:
        server.items = [a_slice(address="10.0.0.9")]
        await failure(response)

    server.watches = [change_and_fail]
    followed.follower.start()
    await followed.shows("10.0.0.9")

    assert server.lists == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(403, "get, list and watch on endpointslices.discovery.k8s.io", id="a role is missing"),
        pytest.param(401, "401 who are you", id="the token has expired"),
        pytest.param(410, "who are you", id="the version is gone"),
        pytest.param(500, "500 who are you", id="the server fails"),
        pytest.param(429, "429 who are you", id="the server is busy"),
    ],
)
async def test_a_refusal_is_logged_once_waited_out_and_its_end_is_told(server, followed, caplog, status, words):
    server.refusals = [(status, "who are you")] * 3
    followed.follower.start()
    await followed.shows("10.0.0.1")
    await followed.until(lambda: "followed again" in caplog.text)

    assert words in caplog.text
    assert caplog.text.count("keeping the last known routes") == 1


async def test_a_list_that_does_not_come_is_given_up_and_asked_for_again(server, followed, caplog):
    server.hangs = True
    followed.follower.start()
    await followed.until(lambda: server.lists >= 2)

    assert "the connection is taken for lost" in caplog.text
    assert followed.urls() is None, "nothing is known, so nothing is written"


async def test_a_watch_that_does_not_begin_is_taken_for_lost(server, followed, caplog):
    server.hangs_before_watches = True
    followed.follower.start()
    await followed.until(lambda: server.lists >= 2)

    assert "did not begin a watch within 1.5 s; the connection is taken for lost" in caplog.text


async def test_a_watch_that_outlives_its_time_is_taken_for_lost(server, followed, caplog):
    followed.follower.start()
    await followed.until(lambda: server.lists >= 2)

    assert "the connection is taken for lost" in caplog.text


async def test_a_version_that_expires_again_and_again_is_not_asked_for_without_a_pause(server, followed):
    """A server that lists a version which it will not watch must not be asked a thousand times a second."""
    server.watches = [lines({"type": "ERROR", "object": {"code": 410, "message": "too old"}})] * 100
    started = time.monotonic()
    followed.follower.start()
    await followed.until(lambda: server.lists == 11)

    assert time.monotonic() - started >= 10 * 0.5 * QUICK.backoff.first_seconds


async def test_a_version_that_expired_between_two_watches_is_listed_anew_at_once(server, followed, caplog):
    expired = lines({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
    server.watches = [lines(event("BOOKMARK", {"metadata": {"resourceVersion": "11"}})), expired]
    followed.follower.start()
    await followed.until(lambda: len(server.asked) == 3)

    assert [query["resourceVersion"] for query in server.asked] == ["7", "11", "7"]
    assert caplog.text == "", "an old version is nothing to complain about"


async def test_an_event_of_a_pool_with_a_thousand_pods_is_read(server, followed):
    """Such a line is longer than an HTTP library's line buffer."""
    many = a_slice(version="8", address="10.0.0.2", pods=4_000)
    server.watches = [lines(event("MODIFIED", many))]
    followed.follower.start()
    await followed.until(lambda: followed.urls() and len(followed.urls()) == 4_000)

    assert server.lists == 1


async def test_a_disk_that_refuses_is_asked_again_until_it_takes_the_file(server, tmp_path, caplog):
    (tmp_path / "gateway").write_text("a file where the folder should be")
    followed = Followed(tmp_path / "gateway" / "routes.json")
    followed.follower.start()
    await followed.until(lambda: "keeps the last valid routes" in caplog.text)
    (tmp_path / "gateway").unlink()

    await followed.shows("10.0.0.1")
    await followed.follower.close()


async def test_routes_are_written_after_a_writing_that_broke(server, tmp_path, monkeypatch, caplog):
    write, broken = RoutesFile.write, []

    def breaks_once(file, slices):
        if not broken:
            broken.append(1)
            raise KeyError("nobody thought of it")
        write(file, slices)

    monkeypatch.setattr(RoutesFile, "write", breaks_once)
    followed = Followed(tmp_path / "routes.json")
    followed.follower.start()

    await followed.shows("10.0.0.1")
    await followed.follower.close()
    assert "nobody thought of it" in caplog.text


async def test_closing_keeps_the_file(server, followed):
    followed.follower.start()
    await followed.shows("10.0.0.1")
    await followed.follower.close()

    assert followed.urls() == ["http://10.0.0.1:8000"]


async def test_a_follower_without_a_cluster_goes_on_trying_and_ends_when_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    followed = Followed(tmp_path / "routes.json")
    followed.follower.start()
    await followed.until(lambda: "keeping the last known routes" in caplog.text)
    await followed.follower.close()

    assert not followed.path.exists()


def test_the_file_is_replaced_only_when_it_says_something_else(tmp_path):
    path = tmp_path / "routes.json"
    file, slices = RoutesFile(path), (Slice.model_validate(a_slice()),)
    file.write(slices)
    first = path.stat()
    file.write(slices)
    same = path.stat()
    file.write(())

    assert (first.st_ino, first.st_mtime_ns) == (same.st_ino, same.st_mtime_ns)
    assert json.loads(path.read_text()) == {"variants": {}}
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"
