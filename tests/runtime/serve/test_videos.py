"""Videos over HTTP: sent one by one or in batches, answered at once, and seen on their way."""

import httpx
import pytest

from pitwall_crds.names import Header
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_runtime.errors import QueueFullError, TooLateError
from pitwall_runtime.ingest.desk import IngestDesk
from pitwall_runtime.ingest.queue.book import FolderBook, VideoRecord, VideoState, change, video_id
from pitwall_runtime.ingest.queue.local import LocalQueue
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.serve.app import ServingState, build_app
from pitwall_runtime.serve.videos import MAX_BATCH
from pitwall_runtime.serve.worker import Lanes, QueueLimits

URL = "https://films.example/film.mp4?signature=secret"


@pytest.fixture
def state(make_variant, tmp_path):
    queue = LocalQueue(tmp_path / "ingest.sqlite", max_waiting=3)
    state = ServingState(
        make_variant(),
        "stable",
        Resolver((tmp_path,), tmp_path / "downloads"),
        RuntimeTelemetry("aks-v1", "stable"),
        Lanes(QueueLimits(1, 0)),
        desk=IngestDesk(queue, FolderBook(tmp_path / "videos")),
    )
    yield state
    state.lanes.close()
    queue.close()


@pytest.fixture
async def client(state):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build_app(state)), base_url="http://runtime") as made:
        yield made


async def test_a_video_is_taken_at_once_before_any_model_is_loaded(client, state):
    sent = await client.post("/v1/videos", json={"url": URL})
    assert sent.status_code == 202
    assert (sent.json()["object"], sent.json()["status"], sent.json()["error"]) == ("video", "queued", None)
    assert "secret" not in sent.text
    assert (await client.post("/v1/videos", json={"url": URL})).json()["id"] == sent.json()["id"]
    assert (await client.post("/v1/videos", json={"url": f"\t{URL} \n"})).json()["id"] == sent.json()["id"]
    assert state.desk.queue.depth().waiting == 1


async def test_whose_a_video_is_goes_with_it_so_that_parties_take_turns(client, state):
    await client.post("/v1/videos", json={"url": URL}, headers={Header.PARTY: "web."})
    await client.post("/v1/videos/batch", json={"urls": [f"{URL}&2", f"{URL}&3"]}, headers={Header.PARTY: "app.ann"})
    assert [state.desk.queue.take(0).job.party for _ in range(3)] == ["web.", "app.ann", "app.ann"]


async def test_where_it_stands_is_told(client, state):
    sent = (await client.post("/v1/videos", json={"url": URL})).json()
    record = state.desk.find(sent["id"])
    change(state.desk.book, record, state=VideoState.FAILED, error="no video", error_code="not_a_video", attempts=2)
    found = (await client.get(f"/v1/videos/{sent['id']}")).json()
    assert (found["status"], found["attempts"]) == ("failed", 2)
    assert found["error"] == {"code": "not_a_video", "message": "no video"}


@pytest.mark.parametrize("key", ["vid_unknown", "..%2F..%2Fetc%2Fpasswd", "x" * 5000, "%00"])
async def test_an_unknown_id_is_404(client, key):
    found = await client.get(f"/v1/videos/{key}")
    assert found.status_code == 404
    assert "error" in found.json()


async def test_a_batch_is_taken_as_far_as_there_is_room(client):
    urls = [f"https://films.example/{number}.mp4" for number in range(3)]
    sent = await client.post("/v1/videos/batch", json={"urls": [urls[0], "ftp://x/y", urls[1], urls[0], urls[2]]})
    assert sent.status_code == 202
    data = sent.json()["data"]
    assert [entry.get("status") for entry in data] == ["queued", None, "queued", "queued", "queued"]
    assert data[1]["error"]["code"] == "bad_question"
    full = await client.post("/v1/videos", json={"url": "https://films.example/one-more.mp4"})
    assert (full.status_code, full.json()["error"]["code"], full.headers["retry-after"]) == (503, "queue_full", "1")


async def test_what_a_batch_is_told_of_a_thousand_videos_is_within_the_gateways_bound(client, state):
    urls = [f"https://films.example/{number}.mp4" for number in range(20)]
    variants = {f"{number}-{'v' * 60}": 0.125 for number in range(100)}
    for url in urls:
        record = VideoRecord(video_id(url), variants=variants, error="it is no film " * 200, error_code="not_a_video")
        change(state.desk.book, record, content_hash="ab" * 32, seconds=1234.567)
    sent = await client.post("/v1/videos/batch", json={"urls": urls})
    assert len(sent.content) * MAX_BATCH / len(urls) < CallLimits().reply_bytes
    assert {len(record["variants"]) for record in sent.json()["data"]} == {0}
    alone = (await client.get(f"/v1/videos/{video_id(urls[0])}")).json()
    assert (alone["variants"], alone["error"]["message"][-1]) == (variants, "…")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/videos", {}),
        ("/v1/videos", {"url": ""}),
        ("/v1/videos", {"url": "x" * 9000}),
        ("/v1/videos", {"url": "notes.txt"}),
        ("/v1/videos", ["a"]),
        ("/v1/videos/batch", {"urls": []}),
        ("/v1/videos/batch", {"urls": ["https://a/b"] * 1001}),
        ("/v1/videos/batch", {"url": "https://a/b"}),
    ],
)
async def test_what_is_no_video_is_refused(client, path, body):
    refused = await client.post(path, json=body)
    assert refused.status_code == 400
    assert "url" in refused.json()["error"]["message"] or "body" in refused.json()["error"]["message"]


class TooSlow:
    waits = False

    def answer(self, *_, **__):
        raise TooLateError("not in time")


async def test_a_video_that_took_too_long_is_prepared_for_the_next_question(client, state, tmp_path):
    state.pipeline = TooSlow()
    (tmp_path / "a.mp4").write_bytes(b"x" * 2000)
    url = f"file://{tmp_path}/a.mp4"
    parts = [{"type": "text", "text": "q"}, {"type": "video_url", "video_url": {"url": url}}]
    asked = {"messages": [{"role": "user", "content": parts}]}
    late = await client.post("/v1/chat/completions", json=asked, headers={Header.DEADLINE: "60000"})
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert state.desk.find(video_id(url)).state is VideoState.QUEUED


def test_a_full_queue_is_for_now():
    assert QueueFullError("x").status == 503
