"""What dies is started again, and nothing that was known is lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from house import EXAMPLES, House, eventually, pitwall, running, until

from pitwall_crds.host import files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def house(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    state = tmp_path_factory.mktemp("house") / "state"
    with running(state, clip, EXAMPLES / "variants.yaml", EXAMPLES / "rollout.yaml") as made:
        yield made


async def test_evidence_survives_an_operator_killed_in_the_middle_of_a_stage(house, short_examples):
    async with house.users(rate=8.0) as seen:
        await eventually(lambda: len(seen) >= 5)
        pitwall(house.state, "apply", "-f", str(short_examples / "rollout-aks.yaml"))
        await eventually(lambda: house.trials().get("errors", 0) > 10)
    # Nobody asks while the operator is away: what was asked meanwhile would stand for what it has forgotten.
    before, run = house.trials(), house.rollout().status.run_id
    killed = house.service("operator")
    os.kill(killed, signal.SIGKILL)
    await eventually(lambda: house.service("operator") != killed)
    async with house.users(rate=8.0):
        await eventually(lambda: grown(house, before))

    assert house.rollout().status.run_id == run


def grown(house: House, before: dict[str, int]) -> bool:
    """Whether more has been counted than before, of which nothing may be missing at any time."""
    now = house.trials()
    assert all(now[gate] >= count for gate, count in before.items()), (before, now)
    return now["errors"] > before["errors"]


def test_a_killed_runtime_is_replaced_and_nobody_has_to_do_anything(house):
    (killed,) = house.runtimes("uniform-v1")[:1]
    os.kill(killed, signal.SIGKILL)

    until(lambda: killed not in house.runtimes("uniform-v1"))
    until(lambda: house.ask().status_code == httpx.codes.OK)


@pytest.mark.soak
def test_a_video_is_prepared_ahead_although_the_ingest_worker_was_killed(house):
    killed = house.service("ingest")
    os.kill(killed, signal.SIGKILL)
    videos = f"{house.folder.gateway_url()}/v1/videos"
    sent = httpx.post(videos, json={"url": house.film.as_uri()}, trust_env=False)
    assert sent.status_code == httpx.codes.ACCEPTED

    until(lambda: house.service("ingest") != killed)
    until(lambda: httpx.get(f"{videos}/{sent.json()['id']}", trust_env=False).json()["status"] == "ready", 240.0)
    until(lambda: "videos prepared ahead: 0 waiting" in pitwall(house.state, "status"))
    answer = house.ask()
    assert (answer.status_code, answer.json()["pitwall"]["cache"]) == (httpx.codes.OK, "warm")


def test_a_dead_flag_service_keeps_nobody_from_an_answer(house):
    killed = house.service("flags")
    os.kill(killed, signal.SIGKILL)

    assert house.ask().status_code == httpx.codes.OK
    until(lambda: house.service("flags") != killed)
    until(lambda: "cannot be seen" not in house.rollout().status.reason)


def test_a_killed_supervisor_is_followed_by_one_that_finds_everything_running(house):
    supervisor = files.read_json(house.folder.run / "supervisor.json", None)[0]
    gateway, runtimes = house.service("gateway"), set(house.runtimes("uniform-v1"))
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(supervisor) or psutil.Process(supervisor).status() == psutil.STATUS_ZOMBIE)
    pitwall(house.state, "up", "-f", str(EXAMPLES / "variants.yaml"), "--port", str(house.folder.port("gateway")))

    assert house.service("gateway") == gateway
    assert runtimes <= set(house.runtimes("uniform-v1"))


def test_aborting_sends_everybody_back(house):
    if not house.rollout().status.candidate_variant:
        pitwall(house.state, "apply", "-f", str(EXAMPLES / "rollout-aks.yaml"))
        pitwall(house.state, "retry", or_says="is on its way")  # a spec that is new begins by itself
        until(lambda: bool(house.rollout().status.candidate_variant))
    pitwall(house.state, "abort")
    until(lambda: house.rollout().status.phase == "Aborted")

    until(lambda: [w.variant for w in house.rollout().status.weights if w.weight_basis_points] == ["uniform-v1"])
    assert "Aborted" in pitwall(house.state, "explain")


@pytest.mark.soak
def test_an_undo_brings_back_what_served_before(house):
    def serving() -> list[str]:
        return [share.variant for share in house.rollout().status.weights if share.weight_basis_points]

    pitwall(house.state, "apply", "-f", str(EXAMPLES / "rollout-aks.yaml"))
    pitwall(house.state, "retry", or_says="is on its way")  # a spec that is new begins by itself
    until(lambda: bool(house.rollout().status.candidate_variant))
    pitwall(house.state, "promote", "--full", "--reason", "a fix for everybody")
    until(lambda: house.rollout().status.stable_variant == "aks-v1" and serving() == ["aks-v1"], 120.0)
    until(lambda: house.ask().headers["x-pitwall-variant"] == "aks-v1")

    pitwall(house.state, "undo", "--reason", "slow since noon")
    until(lambda: house.rollout().status.phase == "Aborted" and serving() == ["uniform-v1"], 120.0)
    until(lambda: house.ask().headers["x-pitwall-variant"] == "uniform-v1")
    told = house.rollout().status.history[-1].message
    assert told.startswith("aks-v1 was aborted: ")
    assert told.endswith(" undid it: slow since noon")


def test_the_kill_switch_needs_no_operator(house):
    pitwall(house.state, "kill", "--reason", "drill")

    assert house.ask().headers["x-pitwall-variant"] == "uniform-v1"


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        pytest.param("file:///etc/passwd", 400, "media root", id="a-file-outside-the-media-roots"),
        pytest.param("http://169.254.169.254/latest", 400, "169.254.169.254", id="a-link-local-address"),
        pytest.param("http://10.0.0.7/film.mp4", 400, "10.0.0.7", id="a-private-address"),
        pytest.param("{root}/missing.mp4", 404, "missing.mp4", id="a-missing-film"),
    ],
)
def test_a_bad_film_is_refused_in_words(house, url, status, words):
    address = url.replace("{root}", house.film.parent.as_uri())
    content = [{"type": "video_url", "video_url": {"url": address}}, {"type": "text", "text": "What is this?"}]
    body = {"model": "pitwall", "messages": [{"role": "user", "content": content}]}
    answer = httpx.post(f"{house.folder.gateway_url()}/v1/chat/completions", json=body, timeout=60.0, trust_env=False)

    assert (answer.status_code, words in answer.text) == (status, True), answer.text
