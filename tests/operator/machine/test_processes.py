"""Pools of real processes: started, found again, replaced with a growing pause, drained, and told to the gateway."""

import json
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pitwall_crds.host import files
from pitwall_crds.names import Pool
from pitwall_crds.reading.load import load_file, revision_of
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.machine import child, processes
from pitwall_operator.machine.processes import DRAIN_SECONDS, KILL_SECONDS, Processes, ProcessFolders
from pitwall_operator.values.observation import PoolSeen

VARIANT = next(
    one
    for one in load_file(Path(__file__).parents[3] / "examples" / "variants.yaml")
    if isinstance(one, SamplerVariant) and one.metadata.name == "aks-v1"
)
pytestmark = [
    pytest.mark.usefixtures("fake_runtime", "leaves_nothing"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),  # they shall outlive us
]


@pytest.fixture
def layout(tmp_path) -> ProcessFolders:
    return ProcessFolders(tmp_path / "state", tmp_path / "cache", (tmp_path / "media",))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as made:
        yield made


@pytest.fixture
def platform(layout, client) -> Processes:
    return Processes.adopt(layout, client)


async def seen(platform: Processes, pool: Pool, wanted: PoolSeen, *, name: str = "aks-v1") -> None:
    """Look again and again until the pool is as wanted."""
    for _ in range(2000):
        found = (await platform.pools()).get(name, {}).get(pool)
        if found == wanted:
            return
    raise AssertionError(f"{pool} never became {wanted}; it is {found}")


def serving(layout: ProcessFolders) -> list[str]:
    return sorted(path.name for path in layout.serving.glob("*.yaml"))


def routes(layout: ProcessFolders) -> dict:
    return json.loads(layout.routes.read_text())["variants"]


def kill(one: child.Child) -> None:
    os.kill(one.pid, signal.SIGKILL)


async def test_a_pool_serves_its_arms_once_it_answers(platform, layout):
    await platform.run(VARIANT, "r1", Pool.CANDIDATE, 1)
    assert platform.targets() == ()
    await seen(platform, Pool.CANDIDATE, PoolSeen("r1", 1, 1))

    [one] = platform.children
    assert platform.targets() == (one.url,)
    assert routes(layout) == {"aks-v1": {"candidate": [one.url], "shadow": [one.url]}}


async def test_a_process_that_still_loads_gets_no_questions(platform, layout, fake_runtime):
    (fake_runtime / "loading").touch()
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    async with httpx.AsyncClient(trust_env=False) as asking:
        for _ in range(2000):
            try:
                if (await asking.get(f"{platform.children[0].url}/readyz")).status_code == 503:
                    break
            except httpx.HTTPError:
                continue
    assert (await platform.pools())["aks-v1"][Pool.MAIN] == PoolSeen("r1", 1, 0)
    assert routes(layout) == {"aks-v1": {"stable": []}}

    (fake_runtime / "loading").unlink()
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))


async def test_videos_are_prepared_for_what_pools_run_also_while_a_new_operator_knows_no_goal_yet(
    platform, layout, client
):
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await platform.pools()
    assert load_file(layout.serving / "aks-v1-r1.yaml")[0].spec == VARIANT.spec

    await Processes.adopt(layout, client).pools()
    assert serving(layout) == ["aks-v1-r1.yaml"]
    await platform.drain("aks-v1", Pool.MAIN)
    await platform.pools()
    assert serving(layout) == []


async def test_asking_for_the_same_again_starts_nothing(platform):
    for _ in range(3):
        await platform.run(VARIANT, "r1", Pool.MAIN, 1)

    assert len(platform.children) == 1


async def test_a_restarted_operator_finds_its_processes_and_starts_no_others(platform, layout, client):
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))

    after = Processes.adopt(layout, client)
    assert after.children == platform.children
    assert (await after.pools())["aks-v1"][Pool.MAIN] == PoolSeen("r1", 0, 1), "nobody has said yet what it shall be"
    await after.run(VARIANT, "r1", Pool.MAIN, 1)
    assert after.children == platform.children


@pytest.mark.parametrize("content", ['[{"a": 1}]', "nul", None], ids=["of no shape", "no JSON", "a folder"])
@pytest.mark.parametrize("file", ["processes", "routes"])
async def test_a_broken_file_about_processes_is_written_anew(platform, layout, client, until, caplog, file, content):
    path = getattr(layout, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if content is None else path.write_text(content)
    after = Processes.adopt(layout, client)
    await after.pools()

    assert after.children == []
    assert files.read_json(layout.routes, None) == {"variants": {}}
    assert files.read_json(layout.processes, []) == []
    assert (str(path) in caplog.text) == (file == "processes" or content != '[{"a": 1}]')


async def test_a_process_that_died_while_nobody_looked_is_not_adopted(platform, layout, client, until):
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    [lost] = platform.children
    kill(lost)
    until(lambda: not child.alive(lost.pid, lost.created))

    assert Processes.adopt(layout, client).children == []


async def test_a_process_that_dies_is_said_with_its_last_words_and_tried_again_later(platform, fake_runtime):
    (fake_runtime / "broken").touch()
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 0, "no weights here"))
    goal = platform.goals[("aks-v1", Pool.MAIN)]
    assert (goal.failures, platform.children) == (1, []), "not at once"

    (fake_runtime / "broken").unlink()
    goal.not_before = 0.0
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))
    assert (goal.failures, goal.trouble) == (0, "")


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        pytest.param(signal.SIGKILL, "its process was ended from outside by SIGKILL", id="somebody took its memory"),
        pytest.param(signal.SIGSEGV, "", id="a fault of its own"),
    ],
)
async def test_whose_fault_the_end_of_a_process_was(platform, how, fault):
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))
    os.kill(platform.children[0].pid, how)
    for _ in range(5000):
        lost = (await platform.pools())["aks-v1"][Pool.MAIN]
        if not lost.ready:
            break

    assert (lost.ready, lost.fault) == (0, fault)


async def test_the_pause_grows_with_every_death_up_to_a_minute(platform, fake_runtime, monkeypatch):
    (fake_runtime / "broken").touch()
    now = [1000.0]
    monkeypatch.setattr(processes.time, "time", lambda: now[0])
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    goal, pauses = platform.goals[("aks-v1", Pool.MAIN)], []
    goal.failures = 4
    for failures in (5, 6, 7, 8):
        for _ in range(5000):
            await platform.pools()
            if goal.failures == failures:
                break
        pauses.append(goal.not_before - now[0])
        now[0] = goal.not_before

    assert pauses == [16.0, 32.0, 60.0, 60.0]


async def test_a_new_revision_takes_over_only_once_it_answers(platform, layout, fake_runtime):
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))
    [old] = platform.children
    (fake_runtime / "loading").touch()
    await platform.run(VARIANT, "r2", Pool.MAIN, 1)
    new = next(one for one in platform.children if one.revision == "r2")
    platform.ready = frozenset({old.pid})

    assert not any(one.draining for one in platform.children)
    (fake_runtime / "loading").unlink()
    await seen(platform, Pool.MAIN, PoolSeen("r2", 1, 1))
    assert [one.draining for one in platform.children] == [True, False]
    assert routes(layout) == {"aks-v1": {"stable": [new.url]}}
    assert serving(layout) == ["aks-v1-r2.yaml"], "videos are prepared for what answers from now on"


async def test_a_smaller_pool_drains_the_surplus_and_what_it_counted_still_counts(platform, layout):
    await platform.run(VARIANT, "r1", Pool.MAIN, 2)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 2, 2))
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))

    stays, leaves = platform.children
    assert leaves.draining
    assert set(platform.targets()) == {stays.url, leaves.url}
    assert routes(layout) == {"aks-v1": {"stable": [stays.url]}}


@pytest.mark.parametrize(
    ("drained_for", "signals"),
    [
        pytest.param(DRAIN_SECONDS - 1, [], id="within its grace it finishes what it has"),
        pytest.param(DRAIN_SECONDS + 1, [signal.SIGTERM], id="then it is asked to stop"),
        pytest.param(KILL_SECONDS + 1, [signal.SIGKILL], id="and at last it is made to"),
    ],
)
async def test_a_drained_process_stops_in_its_time(platform, drained_for, signals, until):
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))
    await platform.drain("aks-v1", Pool.MAIN)
    [leaving] = platform.children
    platform.children = [replace(leaving, draining_since=leaving.draining_since - drained_for)]

    assert (await platform.pools()) == {}
    if signals:
        until(lambda: not child.alive(leaving.pid, leaving.created))
        await platform.pools()
        assert platform.children == []
    else:
        assert child.alive(leaving.pid, leaving.created)


async def test_a_clock_that_was_set_back_keeps_no_drained_process_and_no_start_waiting(platform, fake_runtime):
    """Waiting for the clock to come back took as long as it had been set back."""
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))
    await platform.drain("aks-v1", Pool.MAIN)
    [leaving] = platform.children
    platform.children = [replace(leaving, draining_since=time.time() + 3600)]
    await platform.run(VARIANT, "r2", Pool.MAIN, 0)
    goal = platform.goals[("aks-v1", Pool.MAIN)]
    goal.replicas, goal.failures, goal.not_before = 1, 3, time.time() + 3600
    await platform.pools()

    assert all(one.draining_since <= time.time() for one in platform.children)
    assert [one.revision for one in platform.children if not one.draining] == ["r2"]


async def test_a_drained_process_that_dies_is_no_failure_of_its_successor(platform, until):
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await platform.drain("aks-v1", Pool.MAIN)
    [leaving] = platform.children
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    kill(leaving)
    until(lambda: not child.alive(leaving.pid, leaving.created))

    await seen(platform, Pool.MAIN, PoolSeen("r1", 1, 1))
    assert platform.goals[("aks-v1", Pool.MAIN)].failures == 0


async def test_draining_what_never_ran_is_fine(platform, layout):
    await platform.drain("nobody", Pool.CONTROL)

    assert platform.children == []
    assert routes(layout) == {}


async def test_a_pool_keeps_the_spec_that_it_was_started_with(platform, layout):
    revision = revision_of(VARIANT)
    await platform.run(VARIANT, revision, Pool.MAIN, 1)
    edited = VARIANT.model_copy(update={"spec": VARIANT.spec.model_copy(update={"max_frames": 3})})
    await platform.run(edited, revision, Pool.CONTROL, 1)

    [kept] = (layout.state / "run" / "revisions").glob("*.yaml")
    assert load_file(kept) == (VARIANT,)


@pytest.mark.parametrize("broken", ["", "nul: [", "kind: List", None], ids=["empty", "no YAML", "another", "a folder"])
async def test_a_revisions_file_that_holds_something_else_is_written_anew(platform, layout, broken):
    revision = revision_of(VARIANT)
    path = layout.revisions / f"aks-v1-{revision}.yaml"
    path.parent.mkdir(parents=True)
    path.mkdir() if broken is None else path.write_text(broken)
    await platform.run(VARIANT, revision, Pool.MAIN, 1)

    assert [revision_of(one) for one in load_file(path)] == [revision]


async def test_a_folder_among_what_the_ingest_worker_reads_stops_no_turn(platform, layout):
    (layout.serving / "old.yaml" / "x").mkdir(parents=True)
    (layout.serving / "aks-v1-r1.yaml").mkdir()
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)
    await platform.pools()

    assert serving(layout) == ["aks-v1-r1.yaml"]
    assert (layout.serving / "aks-v1-r1.yaml").is_file()


async def test_a_pool_that_cannot_be_started_says_so_and_stops_no_other(platform, layout, monkeypatch):
    def none_left(*_):
        raise OSError("no process left")

    monkeypatch.setattr(child, "spawn", none_left)
    await platform.run(VARIANT, "r1", Pool.MAIN, 1)

    assert (await platform.pools())["aks-v1"][Pool.MAIN].trouble == "it cannot be started: no process left"
