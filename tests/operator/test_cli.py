"""The command line as a user types it: words, exit codes, JSON; no traceback for anything a user can get wrong."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = [sys.executable, "-c", "from pitwall_operator.cli.app import main; main()"]


@pytest.fixture
def pitwall(tmp_path):
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*RUN, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
        )
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
