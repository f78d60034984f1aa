"""Resources in a folder, as kubectl and an API server treat them."""

import errno
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml

from pitwall_crds.host import files
from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import GateStatus, Phase, RolloutStatus
from pitwall_crds.variant.variant import SamplerEntry
from pitwall_operator.machine import plugins, resources
from pitwall_operator.machine import stored as stored_files
from pitwall_operator.machine.resources import Applied, Resources
from pitwall_operator.values.errors import OvertakenError, ResourceRefusedError

EXAMPLES = Path(__file__).parents[3] / "examples"


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def broken(stored: Resources, suffix: str, content: str | bytes | Callable[[Path], None] | None) -> Path:
    """A file of the Rollout with this in it, or what is made in its place; None is a folder."""
    path = stored.root / "resources" / "rollout" / f"sampler{suffix}"
    path.unlink(missing_ok=True)
    match content:
        case None:
            path.mkdir()
        case str() | bytes():
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        case make:
            make(path)
    return path


@pytest.fixture
def stored(tmp_path) -> Resources:
    found = Resources(tmp_path)
    for resource in (*load_file(EXAMPLES / "variants.yaml"), *load_file(EXAMPLES / "rollout.yaml")):
        found.apply(resource)
    return found


def test_the_same_file_again_changes_nothing(stored):
    again = [stored.apply(resource) for resource in load_file(EXAMPLES / "rollout.yaml")]

    assert again == [Applied.UNCHANGED]
    assert stored.rollouts()[0].metadata.generation == 1


def test_a_changed_spec_is_a_new_generation_and_keeps_its_status(stored):
    rollout = stored.rollouts()[0]
    stored.write_status(rollout, rollout.status.model_copy(update={"phase": Phase.STABLE}))
    stored.apply(load_file(EXAMPLES / "rollout-aks.yaml")[0])

    assert stored.rollouts()[0].metadata.generation == 2
    assert stored.rollouts()[0].status.phase is Phase.STABLE


def test_what_is_applied_while_an_abort_waits_leaves_it(stored):
    file = load_file(EXAMPLES / "rollout-aks.yaml")[0]
    abort, promote = Action(id="a1", verb=Verb.ABORT), Action(id="p1", verb=Verb.PROMOTE)

    def asking(action: Action) -> Rollout:
        return file.model_copy(update={"spec": file.spec.model_copy(update={"action": action})})

    stored.apply(asking(abort))
    assert stored.apply(file) is Applied.UNCHANGED
    assert stored.rollouts()[0].spec.action == abort
    with pytest.raises(ResourceRefusedError, match=r"waits for its abort \(id a1\)"):
        stored.apply(asking(promote))

    stored.write_status(stored.rollouts()[0], stored.rollouts()[0].status.model_copy(update={"last_action_id": "a1"}))
    stored.apply(asking(promote))
    assert stored.rollouts()[0].spec.action == promote


def test_an_abort_that_was_dealt_with_does_not_take_the_place_of_one_that_waits(stored):
    file = load_file(EXAMPLES / "rollout-aks.yaml")[0]

    def asking(action_id: str) -> Rollout:
        abort = Action(id=action_id, verb=Verb.ABORT)
        return file.model_copy(update={"spec": file.spec.model_copy(update={"action": abort})})

    stored.apply(file)
    past = {"last_action_id": "r1", "past_action_ids": ("a1", "r1")}
    stored.write_status(stored.rollouts()[0], stored.rollouts()[0].status.model_copy(update=past))
    stored.apply(asking("a2"))
    for old in ("a1", "r1"):
        with pytest.raises(ResourceRefusedError, match=rf"\(id a2\).*the request {old} was dealt with before"):
            stored.apply(asking(old))
    assert stored.rollouts()[0].spec.action == Action(id="a2", verb=Verb.ABORT)

    stored.apply(asking("a3"))
    assert stored.rollouts()[0].spec.action == Action(id="a3", verb=Verb.ABORT), "it will be carried out"


def test_what_is_stored_comes_back_whole(stored):
    given = {one.metadata.name: one for one in load_file(EXAMPLES / "variants.yaml")}
    for found in stored.variants():
        asked = given.pop(found.metadata.name)
        drawn = {"uid": found.metadata.uid, "generation": 1}
        assert found == asked.model_copy(update={"metadata": asked.metadata.model_copy(update=drawn)})
    assert not given


def test_two_rollouts_on_one_flag_are_refused(stored):
    rollout = stored.rollouts()[0]
    other = rollout.model_copy(update={"metadata": rollout.metadata.model_copy(update={"name": "other"})})

    with pytest.raises(ResourceRefusedError, match=r"flag 'sampler.variant'.*'sampler' already moves"):
        stored.apply(other)


def test_delete_forgets(stored):
    assert stored.delete("Rollout", "sampler")
    assert stored.rollouts() == ()
    assert not stored.delete("Rollout", "sampler")


EXAMPLE = load_file(EXAMPLES / "rollout.yaml")[0]
STABLE = RolloutStatus(phase=Phase.STABLE)


def delete(stored: Resources) -> None:
    stored.delete("Rollout", "sampler")


def make_anew(stored: Resources) -> None:
    stored.delete("Rollout", "sampler")
    stored.apply(EXAMPLE)


def break_spec(stored: Resources) -> None:
    broken(stored, ".yaml", "a: [")


@pytest.mark.parametrize("status", [STABLE, RolloutStatus()], ids=["news", "no news"])
@pytest.mark.parametrize("happens", [delete, make_anew, break_spec])
def test_of_a_resource_that_is_gone_or_another_by_now_no_status_is_written(stored, happens, status):
    """A turn that began before it has nothing more to say, and who called it does nothing either."""
    rollout = stored.rollouts()[0]
    happens(stored)

    with pytest.raises(OvertakenError, match="Rollout 'sampler' was deleted, made anew or broken meanwhile"):
        stored.write_status(rollout, status)
    assert not (stored.root / "resources" / "rollout" / "sampler.status.json").exists()


def test_an_edit_of_a_rollout_that_is_gone_or_another_by_now_makes_none(stored):
    rollout = stored.rollouts()[0]
    delete(stored)
    with pytest.raises(OvertakenError):
        stored.edit(rollout, lambda _: {"paused": True})
    assert stored.rollouts() == ()

    make_anew(stored)
    with pytest.raises(OvertakenError):
        stored.edit(rollout, lambda _: {"paused": True})
    assert not stored.rollouts()[0].spec.paused


def test_a_status_that_an_earlier_resource_of_the_name_left_behind_is_nobodys(stored):
    rollout, path = stored.rollouts()[0], stored.root / "resources" / "rollout" / "sampler.status.json"
    stored.write_status(rollout, STABLE)
    left = path.read_text()
    make_anew(stored)
    path.write_text(left)

    [anew] = stored.rollouts()
    assert anew.metadata.uid != rollout.metadata.uid
    assert anew.status == RolloutStatus()
    stored.apply(load_file(EXAMPLES / "rollout-aks.yaml")[0])
    assert stored.rollouts()[0].status == RolloutStatus()

    delete(stored)
    path.write_text(left)
    stored.apply(EXAMPLE)
    assert not path.exists(), "whoever is made finds none"


def test_a_uid_is_drawn_when_a_resource_is_made_and_stays_whatever_a_file_says(stored):
    drawn = stored.rollouts()[0].metadata.uid
    metadata = EXAMPLE.metadata.model_copy(update={"uid": "mine"})
    edited = load_file(EXAMPLES / "rollout-aks.yaml")[0].model_copy(update={"metadata": metadata})

    stored.apply(edited)

    assert drawn
    assert stored.rollouts()[0].metadata.uid == drawn


def as_an_older_version_wrote_it(stored: Resources, status: RolloutStatus) -> Path:
    folder = stored.root / "resources" / "rollout"
    spec = yaml.safe_load((folder / "sampler.yaml").read_text())
    del spec["metadata"]["uid"]
    (folder / "sampler.yaml").write_text(yaml.safe_dump(spec))
    path = folder / "sampler.status.json"
    path.write_text(json.dumps(status.model_dump(mode="json", by_alias=True)))
    return path


def test_what_an_older_version_stored_keeps_its_status_until_it_is_made_anew(stored):
    path = as_an_older_version_wrote_it(stored, STABLE)
    left = path.read_text()
    assert stored.rollouts()[0].status == STABLE

    stored.apply(load_file(EXAMPLES / "rollout-aks.yaml")[0])
    [edited] = stored.rollouts()
    assert (edited.metadata.generation, edited.status) == (2, STABLE)
    stored.write_status(edited, RolloutStatus(phase=Phase.CANARY))
    assert stored.rollouts()[0].status.phase is Phase.CANARY

    make_anew(stored)
    path.write_text(left)
    assert stored.rollouts()[0].status == RolloutStatus()


def test_what_a_later_version_added_to_a_status_is_left_out_and_the_rollout_goes_on(stored):
    [known] = stored.rollouts()
    history = ({"time": "2027-01-01T00:00:00Z", "reason": "Promoted", "message": "it did"},)
    status = RolloutStatus.model_validate({"stableVariant": "uniform-v1", "history": history})
    stored.write_status(known, status)
    path = stored.root / "resources" / "rollout" / "sampler.status.json"
    data = files.read_json(path, {})
    files.write_json(path, data | {"moon": "full", "history": [{**data["history"][0], "tide": ["high"]}]})

    assert stored.get("Rollout", "sampler").status == status
    assert stored.unreadable() == ()
    files.write_json(path, data | {"moon": "full", "phase": "Asleep"})
    assert "phase: Input should be" in stored.unreadable()[0].words, "what is wrong beside it is told"


def test_a_lock_that_is_not_let_go_of_ends_in_words(stored, monkeypatch):
    monkeypatch.setattr(stored_files, "LOCK_SECONDS", 0.05)
    path = stored.root / "resources" / ".lock"

    with stored_files.held(path), pytest.raises(ResourceRefusedError, match=r"resources/\.lock for more than 0 s"):
        stored.apply(load_file(EXAMPLES / "rollout-aks.yaml")[0])
    assert stored.apply(EXAMPLE) is Applied.UNCHANGED, "it is free again"


def test_edits_of_many_processes_at_once_are_all_done(stored):
    """A thread has a lock of its own as a process has."""

    def count(_: int) -> None:
        def one_more(now: Rollout) -> dict[str, object]:
            return {"progressDeadlineSeconds": (now.spec.progress_deadline_seconds or 600) + 1}

        stored.edit(stored.rollouts()[0], one_more)

    before = stored.rollouts()[0].spec.progress_deadline_seconds or 600
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(24)))
    assert stored.rollouts()[0].spec.progress_deadline_seconds == before + 24


def test_an_abort_beside_whatever_else_is_written_is_not_lost(stored):
    files_of_others = [load_file(EXAMPLES / name)[0] for name in ("rollout.yaml", "rollout-aks.yaml")]
    abort = Action(id="a1", verb=Verb.ABORT)

    def write(number: int) -> None:
        if number == 5:
            stored.edit(stored.rollouts()[0], lambda _: {"action": abort.to_yaml_dict()})
        else:
            stored.apply(files_of_others[number % 2])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(24)))
    assert stored.rollouts()[0].spec.action == abort


def test_a_broken_spec_stays_until_another_is_whole_since_none_would_be_a_deletion(stored, monkeypatch):
    path = broken(stored, ".yaml", "a: [")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        stored.apply(EXAMPLE)
    assert path.read_text() == "a: ["


def test_a_status_that_could_not_be_read_again_does_not_replace_one_that_can(stored):
    rollout = stored.rollouts()[0]
    gate = GateStatus(name="errors").model_copy(update={"missing_trials": 10**12})

    with pytest.raises(ValueError, match="missingTrials"):
        stored.write_status(rollout, rollout.status.model_copy(update={"gates": (gate,)}))
    assert stored.rollouts()[0].status == rollout.status


@pytest.mark.parametrize(
    ("suffix", "content", "words"),
    [
        pytest.param(".yaml", "a: [", "it is no YAML (line 2: ", id="a spec that is not YAML"),
        pytest.param(".yaml", "", "it holds no mapping", id="an empty spec"),
        pytest.param(".yaml", "just words", "it holds no mapping", id="a spec that is no mapping"),
        pytest.param(".yaml", "[]", "it holds no mapping", id="a spec that is a list"),
        pytest.param(".yaml", b"\0\0\0\0\0", "it is no YAML (", id="zero bytes"),
        pytest.param(".yaml", b"\xff\xfe", "is no UTF-8 text (byte 0)", id="no text"),
        pytest.param(".yaml", "kind: Rollout\nspec: {}\n", "metadata: Field required", id="without what it needs"),
        pytest.param(".yaml", "a" * (files.MOST_BYTES + 1), "more than the 16777216 bytes", id="a spec without end"),
        pytest.param(".yaml", None, "is a folder where a file belongs", id="a folder as a spec"),
        pytest.param(".yaml", os.mkfifo, "is a pipe, a socket or a device", id="a pipe as a spec"),
        pytest.param(".yaml", zeros, "is a pipe, a socket or a device", id="a link to a device as a spec"),
        pytest.param(".status.json", '{"phase": "Sta', "is no JSON", id="half a status"),
        pytest.param(".status.json", '{"phase": "Asleep"}', "phase: Input should be", id="a phase that nobody knows"),
        pytest.param(".status.json", "[1]", "valid dictionary", id="a status that is no mapping"),
        pytest.param(".status.json", "[" * 100_000, "nested too deeply", id="a status without an end to its depth"),
        pytest.param(".status.json", '{"cursor": "[[[["}', "cursor", id="a memory that is no JSON"),
        pytest.param(".status.json", '{"uid": 7}', "its uid 7 is no text", id="a uid that is a number"),
        pytest.param(".status.json", None, "is a folder where a file belongs", id="a folder as a status"),
        pytest.param(".status.json", os.mkfifo, "is a pipe, a socket or a device", id="a pipe as a status"),
        pytest.param(".status.json", zeros, "is a pipe, a socket or a device", id="a link to a device as a status"),
    ],
)
def test_a_file_that_was_broken_by_hand_is_named_with_a_remedy_that_works(stored, suffix, content, words):
    path = broken(stored, suffix, content)

    [told] = stored.unreadable()

    assert (told.kind, told.name) == ("Rollout", "sampler")
    assert told.words.startswith(f"{path} was changed by hand: ")
    assert words in told.words
    assert told.words.endswith("apply the Rollout anew, or `pitwall delete rollout sampler`")
    assert ("; delete it, or apply" in told.words) == (suffix == ".status.json")
    assert "\n" not in told.words
    assert stored.rollouts() == ()
    assert len(stored.variants()) == 3, "the others are read as before"
    assert [stored.apply(one) for one in load_file(EXAMPLES / "rollout.yaml")] == [Applied.CONFIGURED]
    assert stored.unreadable() == ()
    assert [one.metadata.name for one in stored.rollouts()] == ["sampler"]


@pytest.mark.parametrize("content", ["a: [", None, os.mkfifo, zeros], ids=["half YAML", "folder", "pipe", "device"])
@pytest.mark.parametrize("suffix", [".yaml", ".status.json"])
def test_a_broken_resource_can_be_deleted_and_applied_anew(stored, suffix, content):
    broken(stored, suffix, content)

    assert stored.delete("Rollout", "sampler")
    assert stored.unreadable() == ()
    assert [stored.apply(one) for one in load_file(EXAMPLES / "rollout.yaml")] == [Applied.CREATED]


def test_what_is_applied_over_a_broken_spec_keeps_the_status_and_is_a_new_generation(stored):
    rollout = stored.rollouts()[0]
    stored.write_status(rollout, rollout.status.model_copy(update={"phase": Phase.STABLE, "observed_generation": 4}))
    broken(stored, ".yaml", "a: [")

    stored.apply(load_file(EXAMPLES / "rollout.yaml")[0])

    assert stored.rollouts()[0].status.phase is Phase.STABLE
    assert stored.rollouts()[0].metadata.generation == 5


def test_a_folder_in_a_files_place_is_kept_beside_it(stored):
    (broken(stored, ".yaml", None) / "notes.txt").write_text("mine")

    stored.apply(load_file(EXAMPLES / "rollout.yaml")[0])

    [kept] = (stored.root / "resources" / "rollout").glob(".sampler.yaml.*/notes.txt")
    assert kept.read_text() == "mine"


def test_a_copy_under_another_name_is_no_second_rollout(stored):
    folder = stored.root / "resources" / "rollout"
    (folder / "copy.yaml").write_text((folder / "sampler.yaml").read_text())

    assert [one.metadata.name for one in stored.rollouts()] == ["sampler"]
    assert "it holds 'sampler', which belongs into sampler.yaml" in stored.unreadable()[0].words


def test_a_flag_cannot_change_under_its_users(stored):
    rollout = stored.rollouts()[0]
    moved = rollout.model_copy(update={"spec": rollout.spec.model_copy(update={"flag": "another"})})

    with pytest.raises(ResourceRefusedError, match=r"moves the flag 'sampler.variant', which must not change"):
        stored.apply(moved)
    assert stored.rollouts()[0].spec.flag == "sampler.variant"


@pytest.mark.parametrize("name", ["../rollout/sampler", "../../elsewhere", "/etc/hosts"])
def test_a_name_with_a_slash_names_no_resource(stored, tmp_path, name):
    (tmp_path / "elsewhere.yaml").write_text("mine: true")

    assert not stored.delete("SamplerVariant", name)
    assert (tmp_path / "elsewhere.yaml").exists()
    assert len(stored.rollouts()) == 1


def test_other_files_in_the_folder_are_none_of_ours(stored):
    (stored.root / "resources" / "rollout" / "notes.txt").write_text("remember the milk")
    (stored.root / "resources" / "rollout" / "orphan.status.json").write_text("{}")

    assert [one.metadata.name for one in stored.rollouts()] == ["sampler"]


def test_an_unchanged_status_is_not_written_again(stored):
    rollout = stored.rollouts()[0]
    stored.write_status(rollout, rollout.status)

    assert not (stored.root / "resources" / "rollout" / "sampler.status.json").exists()


def variant_of(stored: Resources, **sampler: object) -> object:
    known = stored.variants()[0]
    spec = known.spec.model_copy(update={"sampler": known.spec.sampler.model_copy(update=sampler)})
    return known.model_copy(update={"metadata": known.metadata.model_copy(update={"name": "new-v1"}), "spec": spec})


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        pytest.param({"name": "akz"}, r"spec.sampler.name 'akz' is unknown; did you mean \"aks\"", id="a sampler"),
        pytest.param({"name": "uniform", "parameters": {"depth": 3}}, "depth is not a parameter", id="a word"),
    ],
)
def test_what_the_runtime_does_not_have_is_refused_before_it_is_stored(stored, sampler, words):
    with pytest.raises(ResourceRefusedError, match=words):
        stored.apply(variant_of(stored, **sampler))
    assert len(stored.variants()) == 3


def test_a_sampler_of_an_installed_package_is_known(stored, monkeypatch):
    plugin = EntryPoint("ours", "package:sampler", resources.SAMPLER_PLUGINS)
    monkeypatch.setattr(resources, "entry_points", lambda group: (plugin,))

    monkeypatch.setattr(resources, "installed_samplers", tuple)  # the runtime cannot say

    assert stored.apply(variant_of(stored, name="ours", parameters={"depth": 3})) is Applied.CREATED


def test_a_parameter_of_an_installed_package_is_explained_by_its_own_schema(stored, monkeypatch):
    plugin = EntryPoint("ours", "package:sampler", resources.SAMPLER_PLUGINS)
    schema = {
        "type": "object",
        "properties": {"depth": {"type": "integer", "maximum": 9}},
        "additionalProperties": False,
    }
    ours = SamplerEntry(name="ours", contract=1, stability="alpha", parameters=schema)
    monkeypatch.setattr(resources, "entry_points", lambda group: (plugin,))
    monkeypatch.setattr(resources, "installed_samplers", lambda: [ours])

    with pytest.raises(ResourceRefusedError, match=r"depht.*depth"):
        stored.apply(variant_of(stored, name="ours", parameters={"depht": 3}))
    assert stored.apply(variant_of(stored, name="ours", parameters={"depth": 3})) is Applied.CREATED


def test_the_runtime_of_this_environment_describes_its_samplers():
    found = {entry.name for entry in plugins.installed_samplers()}

    assert found >= {"uniform", "aks"}


def test_a_runtime_that_cannot_say_describes_none(monkeypatch):
    for command in (("/none/such",), (sys.executable, "-c", "print('nonsense')"), (sys.executable, "-c", "1 / 0")):
        monkeypatch.setattr(plugins, "CATALOGUE", command)
        assert plugins.installed_samplers() == ()
