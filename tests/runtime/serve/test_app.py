"""The HTTP application within this process: before anything is loaded, when the queue is full, and for odd requests."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from pitwall_crds.names import Header
from pitwall_runtime.errors import (
    BadQuestionError,
    NotAVideoError,
    SamplerFailedError,
    StorageFullError,
    UnavailableError,
)
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.media import WHOLE, Caption, Stretch, Video
from pitwall_runtime.pipeline.telemetry import BusyWindow, CacheLookups, RuntimeTelemetry
from pitwall_runtime.serve import schema
from pitwall_runtime.serve.app import ServingState, build_app
from pitwall_runtime.serve.schema import ChatRequest, question_of
from pitwall_runtime.serve.worker import KNOWN, Lanes, QueueLimits, Worker

VIDEO = {"type": "video_url", "video_url": {"url": "file:///a.mp4"}}
ASKED = {"messages": [{"role": "user", "content": [{"type": "text", "text": "where"}, VIDEO]}]}


@pytest.fixture
def state(make_variant, tmp_path):
    """A serving process whose models are not loaded."""
    lanes = Lanes(QueueLimits(1, 0))
    telemetry = RuntimeTelemetry("aks-v1", "stable")
    yield ServingState(make_variant(), "stable", Resolver((tmp_path,), tmp_path / "downloads"), telemetry, lanes)
    lanes.close()


@pytest.fixture
async def client(state):
    transport = httpx.ASGITransport(build_app(state), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://runtime") as made:
        yield made


class Broken:
    waits = False

    def answer(self, *_, **__):
        raise ZeroDivisionError("a bug")


async def test_before_the_models_are_loaded_it_lives_and_is_not_ready(client):
    health, ready = await client.get("/healthz"), await client.get("/readyz")
    asked = await client.post("/v1/chat/completions", json=ASKED)

    assert (health.status_code, ready.status_code, ready.json()) == (200, 503, {"status": "loading"})
    assert (asked.status_code, asked.headers["retry-after"]) == (503, "1")
    assert asked.json()["error"]["type"] == "server_error"
    assert "still loading" in asked.json()["error"]["message"]


async def test_a_malformed_question_is_refused_before_anything_is_loaded(client):
    assert (await client.post("/v1/chat/completions", json={"messages": []})).status_code == 400


async def test_a_bug_is_one_sentence_to_the_asker_and_the_whole_story_in_the_log(client, state, tmp_path, caplog):
    state.pipeline = Broken()
    (tmp_path / "a.mp4").write_bytes(b"x")
    video = {"type": "video_url", "video_url": {"url": f"file://{tmp_path}/a.mp4"}}
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}, video]}]}
    answer = await client.post("/v1/chat/completions", json=body)

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "a bug" not in answer.text
    assert caplog.text.count("ZeroDivisionError: a bug") == 1  # the traceback; the line itself has fields
    assert caplog.records[-1].fields["cause"] == "ZeroDivisionError: a bug"


@pytest.mark.parametrize(
    ("body", "status", "code", "level"),
    [
        pytest.param(ASKED, 503, "unavailable", "WARNING", id="its own fault"),
        pytest.param({"messages": []}, 400, "bad_question", "INFO", id="the question's"),
    ],
)
async def test_each_failure_is_one_line_under_the_id_that_its_user_saw(client, caplog, body, status, code, level):
    caplog.set_level("INFO", "pitwall_runtime")
    answer = await client.post(
        "/v1/chat/completions", json=body, headers={Header.ANSWER_ID: "answer-7", Header.ARM: "candidate"}
    )

    (line,) = [one for one in caplog.records if one.name == "pitwall_runtime.serve.app"]
    assert (answer.status_code, line.levelname) == (status, level)
    told = line.fields
    assert (told["answer_id"], told["arm"], told["status"], told["code"]) == ("answer-7", "candidate", status, code)
    assert told["cause"] == answer.json()["error"]["message"]


async def test_a_client_that_hangs_up_within_its_body_is_one_line_of_the_log(state, caplog):
    caplog.set_level("INFO")
    path = "/v1/chat/completions"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    said = [{"type": "http.request", "body": b'{"mess', "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return said.pop(0)

    async def send(_message):
        """There is nobody."""

    await build_app(state)({**scope, "headers": [], "scheme": "http", "http_version": "1.1"}, receive, send)

    (line,) = caplog.records
    assert (line.levelname, line.exc_info) == ("INFO", None)
    assert (line.fields["status"], line.fields["code"]) == (400, "hung_up")


class Listening:
    """A pipeline that keeps the video that it is given."""

    waits = False

    def __init__(self):
        self.heard = []

    def answer(self, video, *_, **__):
        self.heard.append(video.subtitles)
        raise UnavailableError("enough was heard")


@pytest.mark.parametrize(
    ("named", "status", "words", "heard"),
    [
        ("said.srt", 503, "enough was heard", [(Caption(1.0, 2.0, "Good morning."),)]),
        ("none.srt", 404, "video_url.subtitles_url: no video at", []),
        ("a.mp4", 415, "video_url.subtitles_url: the subtitles are no SubRip, WebVTT or ASS file", []),
    ],
)
async def test_subtitles_that_a_question_names_go_with_its_video(client, state, tmp_path, named, status, words, heard):
    state.pipeline = Listening()
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "said.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n")
    where = {"url": f"file://{tmp_path}/a.mp4", "subtitles_url": f"file://{tmp_path}/{named}"}
    body = {"messages": [user(text("q"), {"type": "video_url", "video_url": where})]}
    answer = await client.post("/v1/chat/completions", json=body)

    assert (answer.status_code, state.pipeline.heard) == (status, heard)
    assert words in answer.json()["error"]["message"]


async def test_whose_question_it_is_reaches_all_stages(client, state, tmp_path):
    """Decodings share memory by party."""
    (tmp_path / "a.mp4").write_bytes(b"x")
    video = {"type": "video_url", "video_url": {"url": f"file://{tmp_path}/a.mp4"}}
    state.pipeline, parties = Listening(), []
    state.pipeline.answer = lambda *_, deadline, **__: parties.append(deadline.party)
    for headers in ({Header.PARTY: "app.ann"}, {}):
        body = {"messages": [user(text("q"), video)]}
        await client.post("/v1/chat/completions", json=body, headers=headers)

    assert parties == ["app.ann", ""]


class FailingPipeline:
    """A pipeline that fails in one way."""

    waits = False

    def __init__(self, error):
        self.error = error

    def answer(self, *_, **__):
        raise self.error


@pytest.mark.parametrize("error", [UnavailableError("not now"), NotAVideoError("no film"), ZeroDivisionError("a bug")])
async def test_who_fails_says_which_video_it_had(client, state, tmp_path, error):
    """Else a server that gives one film to one variant and another to the next decides a rollout."""
    state.pipeline = FailingPipeline(error)
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "said.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n")
    plain, said = (
        {"url": f"file://{tmp_path}/a.mp4", "subtitles_url": said} for said in ("", f"file://{tmp_path}/said.srt")
    )
    bodies = [{"messages": [user(text("q"), {"type": "video_url", "video_url": where})]} for where in (plain, said)]
    first, second = [
        (await client.post("/v1/chat/completions", json=body)).json()["pitwall"]["video"] for body in bodies
    ]

    assert first == hashlib.sha256(b"x").hexdigest()
    assert second.startswith(f"{first}+"), "subtitles are part of what was asked about"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        pytest.param("http://127.0.0.1:1/a.mp4", {"video": "", "preparing": False}, id="its server gives nothing"),
        pytest.param("http://127.0.0.2:1/a.mp4", None, id="a host that we may not read from"),
        pytest.param("file:///none/a.mp4", None, id="a file of ours is not there, which is ours to answer for"),
        pytest.param("gopher://host/a.mp4", None, id="an address that no server has a part in"),
    ],
)
async def test_who_has_no_video_says_whether_a_server_is_to_blame(client, state, tmp_path, url, told):
    state.resolver = Resolver((tmp_path,), tmp_path / "downloads", DownloadLimits(allowed_hosts={"127.0.0.1:1"}))
    state.pipeline = FailingPipeline(AssertionError("it is not asked"))
    body = {"messages": [user(text("q"), {"type": "video_url", "video_url": {"url": url}})]}
    answer = await client.post("/v1/chat/completions", json=body)

    assert answer.status_code in (400, 404, 424)
    assert answer.json().get("pitwall") == told


@pytest.mark.parametrize("url", ["http://none.invalid/a.mp4", "http://127.0.0.2/a.mp4"])
@pytest.mark.parametrize(
    "asker", [pytest.param({}, id="anybody"), pytest.param({Header.ARM: "candidate"}, id="gateway")]
)
async def test_only_gateways_are_told_that_no_name_server_knows_a_host(
    client, state, tmp_path, monkeypatch, url, asker
):
    """A name server that was away once had the candidate off: it had fewer films, and was told as who may not read."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    if "invalid" in url:
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    state.resolver = Resolver((tmp_path,), tmp_path / "downloads", DownloadLimits())
    state.pipeline = FailingPipeline(AssertionError("it is not asked"))
    body = {"messages": [user(text("q"), {"type": "video_url", "video_url": {"url": url}})]}
    answer = await client.post("/v1/chat/completions", json=body, headers=asker)

    is_told = bool(asker) and "invalid" in url
    assert (answer.status_code, "has no public address here" in answer.text) == (400, True)
    assert answer.json()["error"]["code"] == ("host_unknown" if is_told else "media_refused")
    assert answer.json().get("pitwall") == ({"video": "", "preparing": False} if is_told else None)


async def test_whose_models_are_not_loaded_blames_no_server(client):
    """A pod that answered nothing once had no error for it: it told the gateway that no video was given."""
    where = {"type": "video_url", "video_url": {"url": "http://127.0.0.1:1/a.mp4"}}
    answer = await client.post("/v1/chat/completions", json={"messages": [user(text("q"), where)]})

    assert (answer.status_code, "pitwall" in answer.json()) == (503, False)


@pytest.mark.parametrize("error", [StorageFullError, UnavailableError, SamplerFailedError, OSError])
async def test_what_is_ours_to_do_before_a_video_is_here_blames_no_server(client, state, error):
    state.pipeline = FailingPipeline(AssertionError("it is not asked"))

    class Full:
        def is_remote(self, _):
            return True

        def submit(self, *_):
            raise error("the disk is read-only")

    state.resolver = Full()
    answer = await client.post("/v1/chat/completions", json=ASKED)

    assert answer.status_code >= 500
    assert "pitwall" not in answer.json()


async def test_of_a_queue_no_caller_has_all_places():
    worker, go = Worker(QueueLimits(threads=1, waiting=7)), threading.Event()
    loud = [asyncio.create_task(worker.run(lambda: go.wait(20), "loud")) for _ in range(6)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="6 questions of this application"):
        await worker.run(lambda: go.wait(20), "loud")
    others = [asyncio.create_task(worker.run(lambda: go.wait(20), "quiet")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="8 questions are"):
        await worker.run(lambda: go.wait(20), "third")
    go.set()
    assert await asyncio.gather(*loud, *others) == [True] * 8
    assert await worker.run(lambda: 7, "loud") == 7
    worker.close()


async def happens(claim: Callable[[], object]) -> None:
    """Waits for what another thread does."""
    async with asyncio.timeout(60):
        while not claim():  # noqa: ASYNC110 - threads have no event of this loop
            await asyncio.sleep(0.005)


async def test_users_take_turns_and_none_has_all_threads():
    """Eight long films of one user once made the others' wait for all of them."""
    worker, go, began = Worker(QueueLimits(threads=2, waiting=9)), threading.Event(), []

    def work(name: str, wait: bool = True) -> Callable[[], str]:
        def done() -> str:
            began.append(name)
            assert not wait or go.wait(20)
            return name

        return done

    loud = [asyncio.create_task(worker.run(work(f"loud {n}"), "web.loud")) for n in range(5)]
    await happens(lambda: began)
    quiet = [await worker.run(work(name, wait=False), f"web.{name}") for name in ("ann", "bob")]
    assert (quiet, began) == (["ann", "bob"], ["loud 0", "ann", "bob"])
    nobody = asyncio.create_task(worker.run(work("nobody in particular")))
    await happens(lambda: began[3:])
    assert began[3:] == ["nobody in particular"], "and none of the loud one's, though they came first"
    go.set()
    assert await asyncio.gather(*loud, nobody) == [*(f"loud {n}" for n in range(5)), "nobody in particular"]
    worker.close()


async def test_work_that_waits_when_the_worker_is_closed_is_given_up():
    worker, go, began = Worker(QueueLimits(threads=2, waiting=9)), threading.Event(), []

    def work() -> bool:
        began.append(1)
        return go.wait(20)

    first, second = (asyncio.create_task(worker.run(work, "web.ann")) for _ in range(2))
    await happens(lambda: began)
    worker.close()
    go.set()

    assert await first
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_metrics_are_there_from_the_start(client):
    assert "pitwall_encoder_busy_seconds_total" in (await client.get("/metrics")).text


async def test_a_full_queue_refuses_at_once_and_is_free_again_when_the_work_is_done():
    worker, started, go = Worker(QueueLimits(threads=1, waiting=1)), threading.Event(), threading.Event()

    def work() -> str:
        started.set()
        assert go.wait(20)
        return "done"

    running = [asyncio.create_task(worker.run(work)) for _ in range(2)]
    await asyncio.to_thread(started.wait, 20)
    with pytest.raises(UnavailableError, match="2 questions are already in progress or waiting"):
        await worker.run(work)
    go.set()

    assert await asyncio.gather(*running) == ["done", "done"]
    assert await worker.run(lambda: 7) == 7
    worker.close()


async def test_a_client_that_goes_away_does_not_free_the_place_of_its_work():
    worker, started, go = Worker(QueueLimits(threads=1, waiting=0)), threading.Event(), threading.Event()
    task = asyncio.create_task(worker.run(lambda: (started.set(), go.wait(20))))
    await asyncio.to_thread(started.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(UnavailableError):
        await worker.run(lambda: None)
    go.set()
    worker.close()


async def test_work_that_fails_gives_its_place_back():
    worker = Worker(QueueLimits(threads=1, waiting=0))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 // 0)
    worker.close()


async def test_who_asks_about_a_prepared_video_does_not_wait_for_those_whose_video_is_not():
    """Thirty questions about a film that nobody asked about before fill one lane, and no other one."""
    lanes, go, film = Lanes(QueueLimits(threads=1, waiting=32)), threading.Event(), Path("film.mp4")
    known, new = Video("known", film), Video("new", film)
    lanes.answered(known, WHOLE)
    cold = [asyncio.create_task(lanes.lane(new, WHOLE).run(lambda: go.wait(20))) for _ in range(33)]
    await asyncio.sleep(0)

    assert await lanes.lane(known, WHOLE).run(lambda: "at once") == "at once"
    assert await lanes.lane(known, Stretch(3, 9)).run(lambda: "a part") == "a part"
    with pytest.raises(UnavailableError):
        await lanes.lane(new, WHOLE).run(lambda: None)
    go.set()
    await asyncio.gather(*cold)
    lanes.close()


def test_of_very_many_videos_the_last_ones_are_known(tmp_path):
    lanes = Lanes(QueueLimits(1, 0))
    preparing = lanes.lane(Video("new", tmp_path), WHOLE)
    for number in range(KNOWN + 1):
        lanes.answered(Video(str(number), tmp_path), WHOLE)

    assert lanes.lane(Video("0", tmp_path), WHOLE) is preparing
    assert lanes.lane(Video("1", tmp_path), WHOLE) is not preparing
    lanes.close()


def request(*messages, **more) -> ChatRequest:
    return ChatRequest.model_validate({"messages": list(messages), **more})


def user(*parts) -> dict:
    return {"role": "user", "content": list(parts)}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def video(url: str) -> dict:
    return {"type": "video_url", "video_url": {"url": url}}


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        pytest.param([user(text("q"), video("v"))], ("v", "q"), id="one message"),
        pytest.param([user(text("q"), video(" v\n"))], ("v", "q"), id="blanks around an address"),
        pytest.param([user(video("v"), text("a"), text("b"))], ("v", "a b"), id="words in parts"),
        pytest.param([user(video("v"), text("a")), user(text("b"))], ("v", "b"), id="the video of an earlier message"),
        pytest.param([user(video("v")), user(video("w"), text("q"))], ("w", "q"), id="the latest video"),
        pytest.param([user(video("v"), text("q"), video("v"))], ("v", "q"), id="one video, named twice"),
        pytest.param([user(video("u"), video("v")), user(video("w"), text("q"))], ("w", "q"), id="two that are over"),
        pytest.param([user(video("v")), {"role": "user", "content": " q "}], ("v", "q"), id="plain words"),
        pytest.param(
            [user(video("v"), text("q")), {"role": "assistant", "content": "x"}], ("v", "q"), id="an answer last"
        ),
        pytest.param([{"role": "system", "content": None}, user(video("v"), text("q"))], ("v", "q"), id="empty system"),
    ],
)
def test_what_is_asked_about_what(messages, found):
    about = question_of(request(*messages))

    assert (about.video.url, about.question, about.video.subtitles_url) == (*found, "")


@pytest.mark.parametrize(
    ("messages", "more", "words"),
    [
        pytest.param([user(text("q"), video("v"))], {"stream": True}, "stream=false", id="a stream"),
        pytest.param([{"role": "system", "content": "x"}], {}, "role 'user'", id="nobody asks"),
        pytest.param([user(video("v"))], {}, "no question", id="no words"),
        pytest.param([user(text("  \n"), video("v"))], {}, "no question", id="blank words"),
        pytest.param([user(text("q"), video("v")), user(video("w"))], {}, "no question", id="no words in the last"),
        pytest.param([user(text("q"))], {}, "no video", id="no video"),
        pytest.param([user(text("q"), video("v"), video("w"))], {}, "about 2 videos; ask about one", id="two videos"),
        pytest.param([{"role": "user", "content": None}], {}, "no question", id="nothing at all"),
        pytest.param([user(text("x" * 4001), video("v"))], {}, "4001 characters; the limit is 4000", id="too long"),
    ],
)
def test_what_is_no_question_is_told_what_to_send(messages, more, words):
    with pytest.raises(BadQuestionError, match=words):
        question_of(request(*messages, **more))


def test_the_longest_question_is_a_question():
    assert schema.check_question("x" * schema.MAX_QUESTION_CHARACTERS) is None


@pytest.mark.parametrize("said", ["made-up", "", "STABLE", "stable "])
async def test_an_unknown_arm_is_this_processs_own(client, state, said):
    await client.post("/v1/chat/completions", json=ASKED, headers={Header.ARM: said})

    assert 'arm="made-up"' not in state.telemetry.exposition().decode()


def test_the_busy_share_stays_between_none_and_all():
    window = BusyWindow()
    assert window.share() == 0
    window.add(1.5)
    assert window.share() == pytest.approx(0.1, abs=0.01)
    for _ in range(20):
        window.add(100.0)
    assert window.share() == 1


@pytest.mark.parametrize(("hits", "misses", "cold", "warm"), [(0, 4, 1, 0), (4, 0, 0, 1), (3, 1, 1, 0), (0, 0, 0, 1)])
def test_a_question_is_cold_as_soon_as_one_frame_was_missing(hits, misses, cold, warm):
    telemetry = RuntimeTelemetry("aks-v1", "stable")
    telemetry.question("control", {"select": 0.1}, 16, CacheLookups(hits, misses))
    said = telemetry.exposition().decode()

    assert ('result="cold",sampler_variant="aks-v1"} 1.0' in said) is bool(cold)
    assert ('result="warm",sampler_variant="aks-v1"} 1.0' in said) is bool(warm)
