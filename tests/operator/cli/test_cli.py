"""The command line as a user types it: words, exit codes, JSON; no traceback for anything a user can get wrong."""

import getpass
import json
import socket
import subprocess
from pathlib import Path

import pytest
import yaml
from harness import forked

from pitwall_operator.machine.resources import Resources
from pitwall_operator.record.lines import RecordFile

EXAMPLES = Path(__file__).parents[3] / "examples"
BAD_SAMPLER = """
apiVersion: pitwall.dev/v1alpha1
kind: SamplerVariant
metadata: {name: v}
spec: {sampler: {name: akz}}
"""


@pytest.fixture
def pitwall(tmp_path):
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        done = forked.run((forked.PITWALL, "pitwall", *arguments), cwd=tmp_path)
        assert "Traceback" not in done.stderr
        return done

    return run


def one_line_yaml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    return path


def test_apply_says_what_kubectl_says(pitwall):
    first = pitwall("apply", "-f", EXAMPLES / "variants.yaml")
    again = pitwall("apply", "-f", EXAMPLES / "variants.yaml")

    assert "samplervariant.pitwall.dev/aks-v1 created" in first.stdout
    assert "samplervariant.pitwall.dev/aks-v1 unchanged" in again.stdout
    assert (first.returncode, again.returncode) == (0, 0)


def test_get_lists_resources_as_table_and_as_json(pitwall):
    pitwall("apply", "-f", EXAMPLES / "variants.yaml")
    table, data = pitwall("get", "samplervariants"), pitwall("get", "samplervariants", "-o", "json")

    assert "NAME" in table.stdout
    assert [v["metadata"]["name"] for v in json.loads(data.stdout)] == ["aks-v1", "dpp-v1", "uniform-v1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a: [", "bad.yaml:", id="malformed-yaml-is-located"),
        pytest.param(
            "apiVersion: pitwall.dev/v1alpha1\nkind: Rollouts\nmetadata: {name: x}", "kind", id="unknown-kind"
        ),
        pytest.param(
            "apiVersion: pitwall.dev/v1alpha1\nkind: SamplerVariant\nmetadata: {name: x}\n"
            "spec: {sampler: {name: uniform}, maxFrames: 0}",
            "maxFrames",
            id="out-of-bounds-names-the-field",
        ),
    ],
)
def test_bad_files_are_explained(pitwall, tmp_path, text, words):
    done = pitwall("apply", "-f", one_line_yaml(tmp_path, text))

    assert done.returncode == 2
    assert words in done.stderr


def test_a_missing_file_is_named(pitwall):
    done = pitwall("apply", "-f", "nowhere.yaml")

    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr


@pytest.mark.parametrize("verb", ["get", "status", "explain", "history", "promote", "pause", "kill"])
def test_nothing_started_is_said_with_the_remedy(pitwall, verb):
    done = pitwall(verb)

    assert done.returncode == 3
    assert "pitwall up" in done.stderr


def test_a_port_in_use_is_named_with_the_remedy(pitwall):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = pitwall("up", "-f", EXAMPLES / "variants.yaml", "-f", EXAMPLES / "rollout.yaml", "--port", port)

    assert done.returncode == 2
    assert f"port {port} is in use" in done.stderr
    assert "--port" in done.stderr


def test_up_without_a_rollout_says_what_is_missing(pitwall):
    done = pitwall("up", "-f", EXAMPLES / "variants.yaml", "--port", 1024 + 17_231)

    assert done.returncode == 2
    assert "one Rollout" in done.stderr


def test_down_where_nothing_runs_is_fine(pitwall):
    assert pitwall("down").returncode == 0


def test_an_unknown_rollout_is_named_beside_the_known_ones(pitwall):
    pitwall("apply", "-f", EXAMPLES / "rollout.yaml")
    done = pitwall("status", "nobody")

    assert done.returncode == 7
    assert "known: sampler" in done.stderr


def test_promoting_without_a_candidate_is_refused(pitwall):
    pitwall("apply", "-f", EXAMPLES / "rollout.yaml")
    done = pitwall("promote")

    assert done.returncode == 1
    assert "no candidate" in done.stderr


def test_pause_and_resume_change_the_spec_alone(pitwall):
    pitwall("apply", "-f", EXAMPLES / "rollout.yaml")
    pitwall("pause")
    paused = json.loads(pitwall("get", "rollouts", "-o", "json").stdout)[0]
    pitwall("resume")
    resumed = json.loads(pitwall("get", "rollouts", "-o", "json").stdout)[0]

    assert (paused["spec"]["paused"], resumed["spec"]["paused"]) == (True, False)


@pytest.mark.parametrize("command", ["up", "down", "apply", "get", "status", "watch", "explain", "promote", "ask"])
def test_every_command_explains_itself(pitwall, command):
    done = pitwall(command, "--help")

    assert done.returncode == 0
    assert "Usage:" in done.stdout


def canary(world, tmp_path: Path) -> None:
    """A state folder in which aks-v1 is on its way at 1 %."""
    world.apply("rollout-aks.yaml")
    world.until(lambda w: any(share.arm == "candidate" for share in w.status.weights), world.good_block)
    stored = Resources(tmp_path / ".pitwall")
    stored.apply(world.rollout)
    found = stored.get("Rollout", world.rollout.metadata.name)
    stored.write_status(found, world.status)


def test_status_is_a_tree_of_stage_traffic_and_gates(pitwall, world, tmp_path):
    canary(world, tmp_path)
    text = pitwall("status").stdout

    for words in (
        "default/sampler  Canary  aks-v1 is to replace uniform-v1, by flag sampler.variant",
        "2 of 5: 1%",
        "candidate      1%  aks-v1",
        "stable        98%  uniform-v1",
        f"{world.status.gates[0].name}  {world.status.gates[0].verdict}",
        "Ready  False  Canary",
    ):
        assert words in text


def test_status_of_a_named_rollout_is_one_object_for_programs(pitwall, world, tmp_path):
    canary(world, tmp_path)
    named, all_of_them = pitwall("status", "sampler", "-o", "json"), pitwall("status", "-o", "json")

    assert json.loads(named.stdout)["status"]["candidateVariant"] == "aks-v1"
    assert json.loads(all_of_them.stdout) == [json.loads(named.stdout)]


def test_promote_writes_an_action_that_says_who(pitwall, world, tmp_path):
    canary(world, tmp_path)
    done = pitwall("promote", "--id", "the-id", "-o", "json")
    [stored] = json.loads(pitwall("get", "rollouts", "-o", "json").stdout)

    assert json.loads(done.stdout)["action"] == stored["spec"]["action"]
    told = {"id": "the-id", "verb": "Promote", "actor": getpass.getuser()}
    assert stored["spec"]["action"] == {**told, "full": False, "overBasisPoints": [], "reason": ""}


def test_the_record_is_printed_line_by_line(pitwall, tmp_path):
    pitwall("apply", "-f", EXAMPLES / "rollout.yaml")
    lines = [{"kind": "run", "run": "r"}, {"kind": "block", "run": "r"}]
    RecordFile(tmp_path / ".pitwall" / "records" / "sampler.jsonl").append(lines)

    assert [json.loads(line) for line in pitwall("record").stdout.splitlines()] == lines


def test_lint_says_what_the_webhook_would(pitwall, tmp_path):
    good = pitwall("lint", EXAMPLES / "variants.yaml", EXAMPLES / "rollout.yaml")
    alone = pitwall("lint", EXAMPLES / "rollout.yaml")
    unknown = pitwall("lint", one_line_yaml(tmp_path, BAD_SAMPLER), "-o", "json")

    assert (good.returncode, alone.returncode, unknown.returncode) == (0, 0, 2)
    assert "does not exist" not in good.stdout
    assert "pitwall plan" in good.stdout
    assert "pitwall plan" not in unknown.stdout
    assert "SamplerVariant 'uniform-v1' does not exist" in alone.stdout
    assert "did you mean" in json.loads(unknown.stdout)[0]["refusals"][0]


def test_lint_knows_what_an_image_has_from_its_catalogue(pitwall, tmp_path):
    depth = {"properties": {"depth": {"type": "integer", "description": "How deep."}}}
    entry = {"name": "paper", "contract": 1, "stability": "alpha", "parameters": depth}
    (tmp_path / "catalogue.json").write_text(json.dumps({"samplers": [entry], "broken": []}))
    (tmp_path / "none.json").write_text("[]")
    spec = {"sampler": {"name": "paper", "parameters": {"dept": 3}}, "runtime": {"image": "paper:1"}}
    variant = {"apiVersion": "pitwall.dev/v1alpha1", "kind": "SamplerVariant", "metadata": {"name": "p"}, "spec": spec}
    file = one_line_yaml(tmp_path, yaml.safe_dump(variant))
    known = pitwall("lint", file, "--catalogue", tmp_path / "catalogue.json")
    unknown = pitwall("lint", file)
    wrong = pitwall("lint", file, "--catalogue", tmp_path / "none.json")

    assert (known.returncode, unknown.returncode, wrong.returncode) == (2, 0, 2)
    assert 'dept is not a parameter of paper; did you mean "depth"?; it takes depth' in known.stdout
    assert "is no catalogue" in " ".join(wrong.stderr.split())


def test_lint_advises_and_lets_pass(pitwall, tmp_path):
    wizard = pitwall("create", "rollout", "made", "--variant", "v", "--gates", "latency-p99,errors,follow-up,tokens")
    asked = yaml.safe_load(wizard.stdout)
    good = pitwall("lint", one_line_yaml(tmp_path, yaml.safe_dump(asked)))
    asked["spec"]["analysis"]["blockSeconds"] = 5
    short = pitwall("lint", one_line_yaml(tmp_path, yaml.safe_dump(asked)))

    assert (good.returncode, short.returncode) == (0, 0)
    assert good.stdout.count("warning") == 1, "only that v is not in the file"
    assert "Rollout made: good" in short.stdout
    assert "Rollout made: warning: gate latency-p99: blockSeconds 5: queues remember longer" in short.stdout


def test_what_the_wizard_writes_can_be_applied(pitwall, tmp_path):
    text = pitwall("create", "variant", "made", "--sampler", "aks", "--parameter", "maxDepth=5").stdout
    applied = pitwall("apply", "-f", one_line_yaml(tmp_path, text))

    assert "samplervariant.pitwall.dev/made created" in applied.stdout


@pytest.mark.parametrize("options", [("-n", "x"), ("--context", "x"), ("--kubeconfig", "x"), ("-A",)])
def test_a_folder_and_a_cluster_at_once_are_refused(pitwall, options):
    done = pitwall("get", "--state", "here", *options)

    assert done.returncode == 2
    assert "give one of both" in done.stderr


def test_options_may_stand_before_the_verb(pitwall, tmp_path):
    pitwall("apply", "-f", EXAMPLES / "variants.yaml", "--state", "there")

    assert "aks-v1" in pitwall("--state", "there", "get").stdout
