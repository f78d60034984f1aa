"""Every verb on an empty, a broken and a whole state folder: a sentence and an exit code, whatever lies there."""

import getpass
import grp
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pitwall_crds.host import files
from pitwall_crds.names import Pool
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.status import ServedVariant
from pitwall_operator.cli.commands import lifecycle
from pitwall_operator.machine.child import Child

EXAMPLES = Path(__file__).parents[3] / "examples"

ASKED = ["promote", "undo", "abort", "retry", "pause", "resume", "kill", "release"]
VERBS = ["status", "explain", "history", *ASKED, "record"]
ON_RESOURCES = ["get", *VERBS]


@pytest.mark.parametrize("verb", ON_RESOURCES)
def test_where_nothing_was_ever_started_the_way_to_start_is_said(say, verb):
    said = say(verb)

    assert said.code == 3
    assert ".pitwall holds no resources: start with `pitwall up -f FILE`" in said.err


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "status"])
def test_a_folder_without_a_rollout_says_so(say, tmp_path, verb):
    (tmp_path / ".pitwall" / "resources").mkdir(parents=True)
    said = say(verb)

    assert said.code == 7
    assert "there is no Rollout in .pitwall; apply one, or look elsewhere" in said.err


def test_an_empty_folder_has_an_empty_list_and_an_empty_status(say, tmp_path):
    (tmp_path / ".pitwall" / "resources").mkdir(parents=True)

    assert say("get").out == "nothing in .pitwall\n"
    assert "no Rollout in .pitwall" in say("status").out
    assert json.loads(say("get", "-o", "json").out) == json.loads(say("status", "-o", "json").out) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_misspelled_rollout_is_guessed(say, stored, verb):
    said = say(verb, "sampelr")

    assert said.code == 7
    assert "Rollout 'sampelr' does not exist in .pitwall; did you mean sampler?" in said.err


@pytest.mark.parametrize("verb", ON_RESOURCES)
@pytest.mark.parametrize(
    ("file", "content"),
    [
        pytest.param("sampler.yaml", "a: [", id="half YAML"),
        pytest.param("sampler.yaml", "", id="an empty spec"),
        pytest.param("sampler.status.json", '{"phase":', id="half a status"),
        pytest.param("sampler.status.json", '{"phase": "Asleep"}', id="an unknown phase"),
    ],
)
def test_a_broken_file_is_named_with_the_remedy(say, stored, verb, file, content):
    (stored.root / "resources" / "rollout" / file).write_text(content)
    said = say(verb)

    assert said.code == (0 if verb in ("get", "status") else 7), (
        "what can be read is shown; nothing is done to the rest"
    )
    assert f"{file} was changed by hand" in said.err
    assert "apply the Rollout anew, or `pitwall delete rollout sampler`" in said.err


RUN_FILES = [
    pytest.param("processes.json", '[{"a": 1}]', "lists no runtimes as we write them", id="a list of something else"),
    pytest.param("processes.json", "nul", "is no JSON", id="no JSON"),
    pytest.param("processes.json", '"x"', "lists no runtimes as we write them", id="a word for a list"),
    pytest.param("processes.json", None, "is a folder where a file belongs", id="a folder"),
    pytest.param("routes.json", '{"variants": [1]}', "holds no routes as we write them", id="routes of no shape"),
    pytest.param("routes.json", "[]", "holds no mapping", id="a list of routes"),
    pytest.param("services.json", '{"ingest": "x"}', "where a pid and its creation time belong", id="a service"),
]


@pytest.mark.parametrize(("file", "content", "words"), RUN_FILES)
def test_a_broken_file_about_processes_is_named_with_the_remedy_and_hides_nothing_else(
    say, stored, file, content, words
):
    path = stored.root / "run" / file
    path.mkdir(parents=True) if content is None else (path.parent.mkdir(), path.write_text(content))
    said = say("status")

    told = " ".join((said.out + said.err).split())
    assert said.code == 0
    assert words in told
    assert "delete that file and start anew with `pitwall up`" in told
    assert "aks-v1" in said.out, "the variants are shown"


@pytest.mark.parametrize("file", ["supervisor.json", "services.json", "settings.json", "secrets.json"])
@pytest.mark.parametrize("content", ["nul", '"word"', None], ids=["no JSON", "of no shape", "a folder"])
def test_whatever_broken_file_a_command_needs_it_ends_with_a_sentence(say, stored, file, content):
    path, run = stored.root / "run" / file, stored.root / "run"
    run.mkdir()
    (run / "settings.json").write_text('{"ports": {"flags": 1}}')
    path.unlink(missing_ok=True)
    path.mkdir() if content is None else path.write_text(content)
    said = say("kill", "sampler") if file in ("settings.json", "secrets.json") else say("down", "--state", ".pitwall")

    assert said.code == 2
    assert f"run/{file} " in said.err
    assert "delete that file and start anew with `pitwall up`" in said.err


@pytest.fixture
def bystander():
    """A process of this user that is nobody's service."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_what_is_no_process_of_the_folder_is_left_alone_and_said(say, stored, bystander):
    """Whoever wrote the file knows pid and creation time, which everybody may read."""
    listed = [bystander.pid, psutil.Process(bystander.pid).create_time()]
    runtime = Child("aks-v1", "r1", Pool.MAIN, 1, *listed, "x")
    for name, content in {
        "services": {"flags": listed},
        "supervisor": listed,
        "processes": [runtime.to_json()],
    }.items():
        files.write_json(stored.root / "run" / f"{name}.json", content)
    said = say("down", "--state", ".pitwall")

    assert (said.code, bystander.poll()) == (0, None)
    assert "nothing was running" in said.out
    assert f"process {bystander.pid} is left alone" in said.err


@pytest.fixture
def nobodys_own_group(monkeypatch):
    """A machine on which users share their groups, whatever this one is like."""
    monkeypatch.setattr(grp, "getgrgid", lambda group: grp.struct_group(("staff", "x", group, [])))


@pytest.mark.usefixtures("nobodys_own_group")
@pytest.mark.parametrize("verb", ["up", "down"])
@pytest.mark.parametrize(
    ("place", "mode"), [("", 0o775), ("", 0o757), ("run", 0o775), ("run/services.json", 0o666)], ids=str
)
def test_a_folder_that_others_may_write_starts_and_ends_nothing(say, stored, tmp_path, verb, place, mode):
    (tmp_path / "rollout.yaml").write_text(files.read_text(EXAMPLES / "rollout.yaml"))
    files.write_json(stored.root / "run" / "services.json", {})
    path = stored.root / place
    path.chmod(mode)
    said = say(verb, "--state", ".pitwall", *(("-f", "rollout.yaml") if verb == "up" else ()))

    assert said.code == 2
    assert f"{path} of {getpass.getuser()} (mode {mode:o}) may be written by others" in said.err
    assert f"chmod -R go-w {stored.root}; or choose another folder with --state" in said.err


RUNNING = {
    "flag": "sampler.variant",
    "cache": "/var/cache/pitwall",
    "media_roots": ["/films"],
    "follow_up_seconds": 90,
    "web_origins": ["http://localhost:3000"],
    "ports": {"gateway": 8099, "flags": 8100, "sync": 8101},
}


@pytest.fixture
def running(stored, monkeypatch):
    """What was started with options, and runs."""
    files.write_json(stored.root / "run" / "settings.json", RUNNING)
    monkeypatch.setattr(lifecycle, "supervisor_of", lambda _: (os.getpid(), 0.0))
    return stored.root


@pytest.mark.parametrize(
    ("option", "value", "has"),
    [
        ("--port", "8090", "8099"),
        ("--media-root", "/other", "['/films']"),
        ("--cache", "/other", "/var/cache/pitwall"),
        ("--follow-up-seconds", "60", "90"),
        ("--web-origin", "http://localhost:4000", "['http://localhost:3000']"),
    ],
)
def test_what_runs_takes_up_no_other_option_and_says_so(say, running, option, value, has):
    said = say("up", "-f", EXAMPLES / "variants.yaml", "--no-wait", option, value)

    assert said.code == 2
    assert f"{running} already runs and takes up no other {option} " in said.err
    assert f"{value}" in said.err
    assert f", now {has}: stop it first (pitwall down)" in said.err


def test_up_again_with_the_options_of_what_runs_applies_the_files(say, running):
    again = ("--port", 8099, "--media-root", "/films", "--cache", "/var/cache/pitwall", "--follow-up-seconds", 90)
    said = say("up", "-f", EXAMPLES / "variants.yaml", "--no-wait", *again, "--web-origin", "http://localhost:3000")

    assert (said.code, said.err) == (0, "")
    assert "gateway    http://127.0.0.1:8099/v1" in said.out


def test_a_folder_of_which_much_may_be_written_is_mended_by_one_command(say, stored, nobodys_own_group):
    run = stored.root / "run"
    for name in ("services", "routes", "others"):
        files.write_json(run / f"{name}.json", {})
    for path in (stored.root, run, *run.iterdir()):
        path.chmod(path.stat().st_mode | 0o020)
    said = say("down", "--state", ".pitwall")

    assert said.code == 2
    assert f"{stored.root} of " in said.err
    assert f", and 4 more in {stored.root}, may be written by others" in said.err
    [command] = re.findall("chmod -R go-w [^;]+", said.err)
    subprocess.run(shlex.split(command), check=True)
    assert say("down", "--state", ".pitwall").code != 2


def test_a_folder_of_another_user_is_named_with_its_owner_and_the_remedy(say, stored, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    said = say("down", "--state", ".pitwall")

    assert said.code == 2
    assert f"{stored.root} belongs to {getpass.getuser()} and not to user 4711" in said.err
    assert "choose a folder of your own with --state" in said.err


def test_what_a_command_makes_is_this_users_alone(say, tmp_path):
    before = os.umask(0o002)
    try:
        made = say("apply", "--state", ".pitwall", "-f", EXAMPLES / "rollout.yaml").code
    finally:
        os.umask(before)

    assert (made, (tmp_path / ".pitwall").stat().st_mode & 0o777) == (0, 0o700)
    assert say("down", "--state", ".pitwall").code == 0


def test_what_runs_is_stopped_although_the_runtimes_cannot_be_listed(say, stored, caplog):
    (stored.root / "run").mkdir()
    (stored.root / "run" / "processes.json").write_text("nul")

    assert say("down", "--state", ".pitwall").code == 0
    assert "runtimes may go on running" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("get", "pods"), 2, "unknown kind 'pods'; use rollouts, samplervariants or all", id="get a kind"),
        pytest.param(("get", "rollouts", "x"), 7, "rollouts 'x' does not exist in .pitwall; known: sampler", id="get"),
        pytest.param(("get", "pwv", "aks-v2"), 7, "did you mean aks-v1", id="get a variant"),
        pytest.param(
            ("delete", "pod", "x"), 2, "unknown kind 'pod'; use rollout or samplervariant", id="delete a kind"
        ),
        pytest.param(("delete", "rollout", "x"), 7, "rollout 'x' does not exist", id="delete what is not there"),
        pytest.param(("delete", "rollout", "../x"), 7, "does not exist", id="delete elsewhere"),
        pytest.param(("promote",), 1, "rollout sampler has no candidate to promote", id="promote nothing"),
        pytest.param(("abort",), 1, "rollout sampler has no candidate to abort", id="abort nothing"),
        pytest.param(("kill",), 3, "nothing was started in .pitwall: `pitwall up -f FILE` starts it", id="kill"),
        pytest.param(("apply", "-f", "none.yaml"), 2, "none.yaml: cannot be read", id="apply what is not there"),
        pytest.param(("apply", "-f", ".pitwall"), 2, "no resources in .pitwall", id="apply a folder without files"),
        pytest.param(("lint", "none.yaml"), 2, "none.yaml: cannot be read", id="lint what is not there"),
        pytest.param(("replay", "none.jsonl"), 2, "none.jsonl is not a file; `pitwall record", id="replay nothing"),
        pytest.param(("plot", "none.jsonl"), 2, "none.jsonl is not a file", id="plot nothing"),
        pytest.param(("plot", "x", "-o", "x.gif"), 2, "x.gif must end in .png, .svg or .pdf", id="plot a gif"),
        pytest.param(("ask", "a"), 2, "Missing argument", id="ask without a question"),
        pytest.param(("ask", "a", "b", "--max-frames", "0"), 2, "greater than or equal to 1", id="ask for none"),
        pytest.param(("up", "-f", "x", "--port", "0"), 2, "greater than or equal to 1", id="up on port 0"),
        pytest.param(("frobnicate",), 2, "No such command 'frobnicate'", id="no such verb"),
        pytest.param(("promote", "--id", "x" * 65), 1, "has no candidate", id="an id that is too long"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_code(say, stored, arguments, code, words):
    said = say(*arguments)

    assert said.code == code
    assert words in " ".join(said.err.replace("│", " ").split())


def test_an_undo_is_asked_with_all_that_an_action_can_say(say, stored):
    served = ServedVariant(variant="aks-v1", revision="r", until="2026-11-29T10:00:00.000Z")
    known = stored.rollouts()[0].status.model_copy(update={"served": (served,)})
    stored.write_status(stored.rollouts()[0], known)
    unknown, asked = say("undo", "--over", "7"), say("undo", "--over", "10,50", "--reason", "it is slow")
    action = stored.rollouts()[0].spec.action

    assert (unknown.code, asked.code) == (2, 0)
    assert "has no stage of 7%; it has 1, 10, 50, 100" in unknown.err
    assert (action.verb, action.over_basis_points, action.reason) == (Verb.UNDO, (1000, 5000), "it is slow")


def test_undoing_before_anything_served_is_refused(say, stored):
    said = say("undo")

    assert said.code == 1
    assert "nothing served before" in said.err


@pytest.mark.parametrize("verb", [("promote", "--full"), ("retry",), ("undo",)], ids=lambda verb: verb[0])
def test_while_an_abort_waits_no_other_verb_takes_its_place(say, stored, world, verb):
    world.to_canary()
    stored.apply(world.rollout)
    stored.write_status(stored.rollouts()[0], world.status)
    assert say("abort", "--id", "a1").code == 0
    said = say(*verb)

    assert said.code == 1
    assert "waits for its abort" in said.err
    assert "(id a1)" in said.err
    assert say("pause").code == say("abort", "--id", "a2").code == 0, "what does not take its place is done"
    assert (stored.rollouts()[0].spec.action.verb, stored.rollouts()[0].spec.action.id) == (Verb.ABORT, "a2")

    stored.write_status(stored.rollouts()[0], world.status.model_copy(update={"last_action_id": "a2"}))
    assert say("promote").code == 0, "it was carried out"


def test_an_abort_by_an_old_id_does_not_take_the_place_of_one_that_waits(say, stored, world):
    world.to_canary()
    stored.apply(world.rollout)
    stored.write_status(stored.rollouts()[0], world.status.model_copy(update={"past_action_ids": ("a1",)}))
    assert say("abort", "--id", "a2").code == 0
    said = say("abort", "--id", "a1")

    assert said.code == 1
    assert stored.rollouts()[0].spec.action.id == "a2"


@pytest.mark.parametrize("old", ["r1", "a1"], ids=["the last one", "an earlier one"])
@pytest.mark.parametrize("verb", [("promote",), ("abort",), ("retry",), ("undo",)], ids=lambda verb: verb[0])
def test_a_request_by_an_old_id_is_refused_in_words(say, stored, world, verb, old):
    world.to_canary()
    stored.apply(world.rollout)
    past = {"last_action_id": "r1", "past_action_ids": ("a1",)}
    stored.write_status(stored.rollouts()[0], world.status.model_copy(update=past))
    said = say(*verb, "--id", old)

    assert (said.code, said.out) == (1, "")
    assert said.err.strip() == f"pitwall: the request {old} was dealt with before, and is not again; ask by a new id"
    assert stored.rollouts()[0].spec.action is None


def test_retrying_what_is_on_its_way_is_refused(say, stored, world):
    world.to_canary()
    stored.apply(world.rollout)
    stored.write_status(stored.rollouts()[0], world.status)
    said = say("retry")

    assert (said.code, said.err.strip()) == (
        1,
        "pitwall: aks-v1 is on its way; only a variant that is off can be retried",
    )


def test_which_of_two_rollouts_must_be_said(say, stored):
    one = stored.rollouts()[0]
    spec = one.spec.model_copy(update={"flag": "other"})
    stored.apply(one.model_copy(update={"spec": spec, "metadata": one.metadata.model_copy(update={"name": "zwei"})}))
    said = say("pause")

    assert said.code == 2
    assert "there are 2 Rollouts in .pitwall, name one of them: sampler, zwei" in said.err


def test_a_flag_service_that_does_not_answer_is_told_from_one_that_refuses(say, stored):
    (stored.root / "run").mkdir()
    (stored.root / "run" / "settings.json").write_text(json.dumps({"ports": {"flags": 9}}))
    said = say("kill", "--reason", "panic")

    assert said.code == 4
    assert said.err.startswith("pitwall: ")


def test_a_second_rollout_on_the_flag_is_refused(say, stored, as_file):
    manifest = stored.rollouts()[0].to_manifest()
    manifest["metadata"] = {"name": "second"}
    said = say("apply", "-f", as_file(manifest))

    assert said.code == 2
    assert "which Rollout 'sampler' already moves; a flag must have one Rollout" in said.err


def test_deleting_says_what_was_deleted(say, stored):
    assert say("delete", "pwr", "sampler").out == "pwr sampler deleted\n"
    assert stored.rollouts() == ()


def test_history_of_a_rollout_that_decided_nothing(say, stored):
    assert say("history").out == "nothing was decided yet\n"
    assert json.loads(say("history", "-o", "json").out) == []


def test_version_and_help_need_no_folder(say):
    assert say("--version").out.strip()
    assert say("--help").code == say("-h").code == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_each_shell(say, shell):
    said = say("completion", shell)

    assert said.code == 0
    assert "pitwall" in said.out


def test_the_dashboard_is_json_to_import_or_an_address(say):
    drawn = json.loads(say("dashboard").out)

    assert say("dashboard", "--url", "http://grafana/").out == f"http://grafana/d/{drawn['uid']}\n"
