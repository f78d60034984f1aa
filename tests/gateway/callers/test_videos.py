"""Videos to prepare, through the gateway: real HTTP, a real runtime's application and queue behind it, real callers."""

import pytest

from pitwall_crds.names import Header
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_gateway.callers.rule import CallerRule, VideoAccess
from pitwall_gateway.flags.port import FixedFlags
from pitwall_gateway.serve.http.receive import BodyRule
from pitwall_gateway.serve.settings import Rules
from pitwall_runtime.ingest.desk import IngestDesk
from pitwall_runtime.ingest.queue.book import FolderBook, VideoState, change
from pitwall_runtime.ingest.queue.local import LocalQueue
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.serve import app as runtime
from pitwall_runtime.serve.worker import Lanes, QueueLimits

WEB, APP = "w" * 40, "a" * 40
VARIANT = SamplerVariant.model_validate(
    {"metadata": {"name": "uniform-v1"}, "spec": {"sampler": {"name": "uniform"}, "maxFrames": 4}}
)
URL = "https://films.example/film.mp4"


@pytest.fixture
def desk(tmp_path):
    queue = LocalQueue(tmp_path / "ingest.sqlite", max_waiting=5)
    yield IngestDesk(queue, FolderBook(tmp_path / "videos"))
    queue.close()


@pytest.fixture
def runtime_url(pit, desk, tmp_path):
    lanes = Lanes(QueueLimits(1, 0))
    resolver, telemetry = Resolver((tmp_path,), tmp_path / "downloads"), RuntimeTelemetry("uniform-v1", "stable")
    state = runtime.ServingState(VARIANT, "stable", resolver, telemetry, lanes, desk=desk)
    yield pit.serve(runtime.build_app(state)).url
    lanes.close()


@pytest.fixture
def opened(pit, runtime_url, callers_file, issuer):
    """A gateway with two callers by key and an issuer of tokens; the candidate's pods do not answer."""

    def build(videos=VideoAccess.OWN, *, shows=False, body=None, local=None, **web):
        others = {"local": local} if local else {}
        file = callers_file(web={"keys": [WEB], **web}, app={"keys": [APP]}, **others)
        pit.route({"uniform-v1": {"stable": [runtime_url]}, "aks-v2": {"candidate": ["http://127.0.0.1:9"]}})
        rules = Rules(body=body or BodyRule(), callers=CallerRule(file, issuer.rule), videos=videos)
        pit.open(FixedFlags({"sampler.variant": ("candidate", "aks-v2")}), rules, shows_assignment=shows)

    return build


def bearer(key, **more):
    return {"authorization": f"Bearer {key}", **more}


def send(pit, key=WEB, url=URL, **headers):
    return pit.client.post(pit.url + "/v1/videos", json={"url": url}, headers=bearer(key, **headers))


def find(pit, video, key=WEB, **headers):
    return pit.client.get(f"{pit.url}/v1/videos/{video}", headers=bearer(key, **headers))


def test_a_video_is_queued_at_once_and_seen_on_its_way(pit, opened, desk):
    opened()
    sent = send(pit)
    assert (sent.status_code, sent.json().get("status")) == (202, "queued"), sent.text
    assert desk.queue.depth().waiting == 1
    record = desk.book.find(sent.json()["id"])
    change(desk.book, record, state=VideoState.ENCODING, seconds=60.0, variants={"uniform-v1": 1.0, "aks-v2": 0.5})

    found = find(pit, sent.json()["id"])

    assert (found.status_code, found.json()["status"], found.json()["progress"]) == (200, "encoding", 0.75)
    assert "variants" not in found.text
    assert pit.metric("pitwall_queries_total") == pit.metric("pitwall_refusals_total") == 0


def test_where_variants_are_shown_the_share_of_each_is_told(pit, opened):
    opened(shows=True)
    assert send(pit).json()["variants"] == {}


def test_nobody_sees_anothers_videos_and_cannot_tell_them_from_none(pit, opened, issuer):
    opened()
    webs, apps = send(pit, WEB).json()["id"], send(pit, APP).json()["id"]
    ann, bob = issuer.token(sub="ann"), issuer.token(sub="bob")
    anns = send(pit, ann).json()["id"]
    for_ann = send(pit, WEB, **{Header.IDENTITY: ann}).json()["id"]

    assert len({webs, apps, anns}) == 3
    assert for_ann == anns, "the user's own word and the caller's for them are one"
    assert [find(pit, webs, key).status_code for key in (WEB, APP, ann, bob)] == [200, 404, 404, 404]
    assert [find(pit, anns, key).status_code for key in (WEB, APP, ann, bob)] == [404, 404, 200, 404]
    assert find(pit, webs, APP).json() == find(pit, "vid_" + "0" * 64, APP).json()


def test_a_caller_sees_no_videos_that_questions_of_others_queued_whatever_it_is_called(pit, opened, desk):
    """Those have no owner; `local` is whom a gateway without authentication takes everybody for."""
    opened(local={"keys": ["l" * 40]})
    late = desk.submit(URL, party="digest.user").id

    assert [find(pit, late, key).status_code for key in ("l" * 40, WEB, APP)] == [404, 404, 404]


def test_what_a_caller_says_of_the_owner_counts_nothing(pit, opened):
    opened()
    apps = send(pit, APP).json()["id"]
    assert find(pit, apps, WEB, **{Header.OWNER: "anything"}).status_code == 404
    assert send(pit, WEB, **{Header.OWNER: "anything"}).json()["id"] == send(pit, WEB).json()["id"]


def test_all_see_all_where_that_is_wished(pit, opened):
    opened(VideoAccess.SHARED)
    webs = send(pit, WEB).json()["id"]
    assert send(pit, APP).json()["id"] == webs
    assert find(pit, webs, APP).status_code == 200


def test_a_stranger_sends_and_sees_nothing(pit, opened, desk):
    opened()
    ours = send(pit).json()["id"]
    batch = pit.client.post(pit.url + "/v1/videos/batch", json={"urls": [URL]})
    assert {batch.status_code, send(pit, "guess").status_code, find(pit, ours, "guess").status_code} == {401}
    assert desk.queue.depth().waiting == 1


def test_a_gateway_without_workers_says_so(pit, opened, desk):
    opened(VideoAccess.OFF)
    refused = send(pit)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "videos_off")
    assert find(pit, "vid_" + "0" * 64).json()["error"]["code"] == "videos_off"
    assert desk.queue.depth().waiting == 0


def test_a_batch_counts_as_many_questions_and_a_full_queue_is_told(pit, opened):
    opened(questionsPerDay=8)
    urls = [f"https://films.example/{number}.mp4" for number in range(4)]
    send_batch = lambda urls: pit.client.post(f"{pit.url}/v1/videos/batch", json={"urls": urls}, headers=bearer(WEB))  # noqa: E731
    first = send_batch([*urls, "ftp://x/y"])
    assert [entry.get("status") for entry in first.json()["data"]] == ["queued"] * 4 + [None]
    assert "variants" not in first.text

    over = send_batch(urls)
    assert (over.status_code, over.json()["error"]["code"]) == (429, "quota_exceeded")
    assert "8 questions and videos today" in over.json()["error"]["message"]

    codes = [send(pit, APP, f"https://films.example/app-{number}.mp4") for number in range(2)]
    assert [code.status_code for code in codes] == [202, 503]
    assert codes[1].json()["error"]["code"] == "queue_full"
    assert codes[1].headers["retry-after"]


def test_batches_are_held_to_the_callers_rate_and_leave_it_its_questions(pit, opened):
    opened(requestsPerSecond=20)
    batch = {"urls": ["ftp://x/y"] * 1000}
    answers = [pit.client.post(f"{pit.url}/v1/videos/batch", json=batch, headers=bearer(WEB)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 429]
    assert int(answers[1].headers["retry-after"]) > 10
    assert pit.client.get(f"{pit.url}/v1/models", headers=bearer(WEB)).status_code == 200
    assert send(pit, APP).status_code == 202


def test_a_vouched_users_batch_keeps_nobody_else_from_sending(pit, opened, issuer):
    opened(requestsPerSecond=20)
    batch = {"urls": ["ftp://x/y"] * 1000}
    ann, bob = issuer.token(sub="ann"), issuer.token(sub="bob")
    answers = [pit.client.post(f"{pit.url}/v1/videos/batch", json=batch, headers=bearer(ann)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 429]
    assert "more than 5 videos a second of this user" in answers[1].json()["error"]["message"]
    assert [send(pit, key).status_code for key in (bob, WEB)] == [202, 202]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param(b"{", 400, "not JSON", id="no JSON"),
        pytest.param(b'{"urls": ["x"]}', 400, "url", id="a batch for one"),
        pytest.param(b'{"url": "notes.txt"}', 400, "use http://", id="no address"),
        pytest.param(b'{"url": "' + b"x" * 3000 + b'"}', 413, "the limit is 2000", id="too large"),
    ],
)
def test_what_is_no_video_is_refused_in_words(pit, opened, body, status, words):
    opened(body=BodyRule(largest_bytes=2000))
    refused = pit.client.post(pit.url + "/v1/videos", content=body, headers=bearer(WEB))
    assert refused.status_code == status
    assert words in refused.json()["error"]["message"]


def test_without_a_runtime_it_is_said_when_to_come_back(pit, opened):
    opened()
    pit.route({"uniform-v1": {"stable": ["http://127.0.0.1:9"]}})
    pit.until(lambda: send(pit).status_code == 502, "the routes to be read")
    pit.route({})
    pit.until(lambda: send(pit).status_code == 503, "the routes to be read")
    assert send(pit).headers["retry-after"]
