"""The operator of one machine: one per folder, its memory in files, its loop not ended by what one turn meets."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pitwall_crds.host import files
from pitwall_crds.names import EventReason
from pitwall_crds.reading.load import load_file, revision_of
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.status import Phase
from pitwall_flags import client
from pitwall_flags.client import FlagClient
from pitwall_operator.machine import embedded
from pitwall_operator.machine.embedded import EmbeddedOperator, FolderMemory, lock, main
from pitwall_operator.machine.metrics import EmbeddedMetrics
from pitwall_operator.machine.processes import Processes, ProcessFolders
from pitwall_operator.machine.resources import Resources
from pitwall_operator.machine.sweep import MachineSweep
from pitwall_operator.observe.scrape import DirectReading
from pitwall_operator.turn.turn import TurnPorts, see_past
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.observation import Reading, SplitSeen, Unseen

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # it shall outlive us
EXAMPLES = Path(__file__).parents[3] / "examples"


def test_a_second_operator_on_the_folder_is_refused_in_words(folder, capsys):
    with lock(folder):
        assert main(["--state", str(folder.state)]) == 2

    assert capsys.readouterr().err == (
        f"another operator already runs on {folder.state}; stop it first (pitwall down)\n"
    )


def test_the_folder_is_free_once_its_operator_is_gone(folder):
    held = lock(folder)
    with pytest.raises(BlockingIOError):
        lock(folder)
    held.close()

    with lock(folder) as again:
        assert not again.closed


def test_the_folder_is_free_although_its_operator_was_killed(folder, until):
    """The kernel lets go; nobody has to remove a file."""
    code = (
        "import sys, time; from pathlib import Path; from pitwall_operator.machine.embedded import lock\n"
        "from pitwall_operator.machine.state_folder import StateFolder\n"
        "held = lock(StateFolder(Path(sys.argv[1]))); print('held', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder.state)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(BlockingIOError):
        lock(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    lock(folder).close()


def test_announcements_are_lines_of_the_event_log(folder, caplog):
    caplog.set_level(logging.INFO)
    memory = FolderMemory(folder, Resources(folder.state))
    memory.announce(Announce(EventReason.PROMOTED, "aks-v1 serves everybody"))
    memory.announce(Announce(EventReason.FLAGGED_OFF, "worse\nby far", warning=True))

    lines = [json.loads(line) for line in folder.events.read_text().splitlines()]
    assert [(line["type"], line["reason"], line["message"]) for line in lines] == [
        ("Normal", "Promoted", "aks-v1 serves everybody"),
        ("Warning", "FlaggedOff", "worse\\nby far"),
    ]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


async def test_a_rollout_that_is_deleted_and_applied_again_knows_what_was_asked_of_it(folder):
    memory, resources = FolderMemory(folder, Resources(folder.state)), Resources(folder.state)
    [rollout] = load_file(EXAMPLES / "rollout.yaml")
    resources.apply(rollout)
    await memory.append(rollout, [{"kind": "asked", "action": {"id": "P1", "verb": "Promote", "full": True}}])
    resources.delete("Rollout", rollout.metadata.name)
    resources.apply(rollout)

    [anew] = resources.rollouts()
    assert (await see_past(anew, memory, SplitSeen())).action_ids == ("P1",)


@pytest.fixture
async def operator(folder, fake_runtime, leaves_nothing, monkeypatch):
    """An operator to whom neither flag service nor gateway answers; it asks once instead of again and again."""
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    resources = Resources(folder.state)
    for name in ("variants.yaml", "rollout.yaml"):
        for resource in load_file(EXAMPLES / name):
            resources.apply(resource)
    exported = EmbeddedMetrics.listening(folder.port("operator"))
    async with httpx.AsyncClient(trust_env=False) as http:
        platform = Processes.adopt(ProcessFolders(folder.state, folder.state / "cache", ()), http)
        flags = FlagClient(folder.flags_url(), token="t", timeout_seconds=0.2)
        memory = FolderMemory(folder, resources)
        world = TurnPorts(flags, platform, memory, memory)
        yield EmbeddedOperator(folder, resources, world, platform, http, exported)
        await flags.close()
    exported.close()


async def test_a_flag_service_that_is_away_keeps_nothing_else_from_being_done(operator):
    await operator.once()

    [rollout] = operator.resources.rollouts()
    assert rollout.status.weights == ()
    assert [one.variant for one in operator.platform.children] == ["uniform-v1"]
    assert [one.status.ready for one in operator.resources.variants()] == ["0/0", "0/0", "0/1"]


def second_rollout(operator) -> None:
    """Beside `sampler` of the examples, by name before it."""
    [known] = operator.resources.rollouts()
    metadata = known.metadata.model_copy(update={"name": "another"})
    spec = known.spec.model_copy(update={"flag": "another.variant", "variant_ref": Reference(name="aks-v1")})
    operator.resources.apply(known.model_copy(update={"metadata": metadata, "spec": spec}))


def break_spec(folder, monkeypatch):
    path = folder.state / "resources" / "rollout" / "another.yaml"
    path.write_text(path.read_text().replace("flag:", "flagg:"))
    return path


def break_status(folder, monkeypatch):
    path = folder.state / "resources" / "rollout" / "another.status.json"
    path.write_text('{"phase": "Sta')
    return path


def break_turn(folder, monkeypatch):
    real = embedded.turn

    async def turn(rollout, *rest):
        if rollout.metadata.name == "another":
            raise ZeroDivisionError("only this one")
        return await real(rollout, *rest)

    monkeypatch.setattr(embedded, "turn", turn)


@pytest.mark.parametrize("broken", [break_spec, break_status, break_turn])
async def test_a_broken_rollout_stands_still_and_says_so_once_and_the_others_go_on(
    operator, folder, monkeypatch, broken
):
    second_rollout(operator)
    broken(folder, monkeypatch)

    for _ in range(3):
        await operator.once()

    [fine] = [one for one in operator.resources.rollouts() if one.metadata.name == "sampler"]
    assert fine.status.conditions, "the second one had no turn"
    told = [json.loads(line) for line in folder.events.read_text().splitlines()]
    [words] = [line["message"] for line in told if line["reason"] == "TurnBroke"]
    assert words.startswith("Rollout/another stands still: ")


async def test_a_rollout_whose_turn_breaks_has_it_in_its_status_and_goes_on_once_mended(operator, folder, monkeypatch):
    second_rollout(operator)
    with monkeypatch.context() as patched:
        break_turn(folder, patched)
        await operator.once()
    [broken, _] = operator.resources.rollouts()
    assert "its turn broke: ZeroDivisionError: only this one" in broken.status.reason

    await operator.once()

    assert "broke" not in operator.resources.rollouts()[0].status.reason
    assert operator.troubles == {}


def fill_events(operator, patched):
    """Nobody can be told that another Rollout is broken."""
    second_rollout(operator)
    break_spec(operator.folder, patched)

    real = files.append_or_replace

    def full(path):
        if path == operator.folder.events:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path)

    patched.setattr(files, "append_or_replace", full)


def fill_statuses(operator, patched):
    """Nobody can be told how a variant fares."""
    real = Resources.write_status

    def write(resources, resource, status):
        if resource.kind == "SamplerVariant":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(resources, resource, status)

    patched.setattr(Resources, "write_status", write)


@pytest.mark.parametrize("fill", [fill_events, fill_statuses])
async def test_what_cannot_be_told_keeps_nothing_from_being_done_and_is_told_later(operator, monkeypatch, fill):
    swept = []

    async def sweep(_: object) -> None:
        swept.append(time.monotonic())

    monkeypatch.setattr(MachineSweep, "once", sweep)
    with monkeypatch.context() as patched:
        fill(operator, patched)
        await operator.once()
    assert len(swept) == 1
    assert [one.variant for one in operator.platform.children] == ["uniform-v1"]

    await operator.once()

    assert [one.status.ready[-2:] for one in operator.resources.variants()] == ["/0", "/0", "/1"]
    if fill is fill_events:
        assert operator.folder.events.read_text().count("Rollout/another stands still") == 1


@pytest.mark.parametrize("anew", [False, True], ids=["deleted", "made anew"])
async def test_a_turn_that_a_deletion_overtakes_leaves_nothing_behind_and_does_nothing(operator, monkeypatch, anew):
    """No status that waits for the next rollout of the name, no pod, no event; the others have their turns."""
    second_rollout(operator)
    real = embedded.turn

    async def turn(rollout, *rest):
        if rollout.metadata.name == "another":
            assert operator.resources.delete("Rollout", "another")
            if anew:
                operator.resources.apply(rollout)
        return await real(rollout, *rest)

    monkeypatch.setattr(embedded, "turn", turn)

    await operator.once()

    left = {path.name for path in (operator.resources.root / "resources" / "rollout").iterdir()}
    assert left == {"sampler.yaml", "sampler.status.json"} | ({"another.yaml"} if anew else set())
    assert [one.variant for one in operator.platform.children] == ["uniform-v1"]
    assert "another" not in (operator.folder.events.read_text() if operator.folder.events.exists() else "")


async def test_specs_that_pools_still_run_are_known_beside_the_declared_and_broken_files_are_passed_over(operator):
    [declared, *_] = operator.resources.variants()
    older = declared.model_copy(update={"spec": declared.spec.model_copy(update={"max_frames": 3})})
    folder = operator.folder.revisions
    folder.mkdir(parents=True)
    (folder / "old.yaml").write_text(json.dumps(older.to_manifest()))
    (folder / "broken.yaml").write_text("a: [")

    specs = operator._revisions([declared])

    name = declared.metadata.name
    assert set(specs) == {(name, revision_of(older)), (name, revision_of(declared))}


async def test_readings_are_kept_for_a_window_and_no_longer(operator):
    for second in range(0, 60, 5):
        operator._keep(DirectReading(Reading(float(second), {}), Reading(float(second), {})))

    assert operator.readings[-1].gateways.time == 55
    assert 55 - operator.readings[0].gateways.time >= embedded.WINDOW_SECONDS
    assert 55 - operator.readings[1].gateways.time <= embedded.WINDOW_SECONDS


async def test_a_reading_from_before_the_clock_was_set_back_does_not_serve_until_it_comes_back(operator):
    late = Reading(time.time() + 3600, {})
    operator._keep(DirectReading(late, late))
    assert isinstance(await operator._read(), Unseen), "it is read anew"

    now = Reading(time.time(), {})
    operator._keep(DirectReading(now, now))
    assert [one.gateways for one in operator.readings] == [now], "nothing is compared with what is to come"


async def test_a_gateway_that_does_not_answer_is_no_reading_and_none_is_kept(operator):
    seen = await operator._read()

    assert isinstance(seen, Unseen)
    assert "/metrics cannot be read" in seen.reason
    assert not operator.readings


@pytest.mark.parametrize(
    ("phase", "seconds", "serves"),
    [
        pytest.param(Phase.CANARY, 0.5, True, id="a rollout moves, and it was read half a second ago"),
        pytest.param(Phase.CANARY, 2.0, False, id="a rollout moves, and it was read two seconds ago"),
        pytest.param(Phase.STABLE, 2.0, True, id="nothing moves, and it was read two seconds ago"),
        pytest.param(Phase.STABLE, 4.0, False, id="nothing moves, and it was read four seconds ago"),
    ],
)
async def test_while_nothing_moves_a_reading_serves_longer(operator, monkeypatch, phase, seconds, serves):
    real = embedded.turn

    async def turn(*asked):
        done = await real(*asked)
        return replace(
            done, decision=replace(done.decision, status=done.decision.status.model_copy(update={"phase": phase}))
        )

    monkeypatch.setattr(embedded, "turn", turn)
    await operator.once()
    known = Reading(time.time() - seconds, {})
    operator._keep(DirectReading(known, known))

    assert ((await operator._read()) is known) == serves
