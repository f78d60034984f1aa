"""`kubectl pitwall` beside its verbs: the wizard, kubectl's own verbs, completion, the dashboard, kubeconfigs."""

import json
import os
import pty
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from harness.plane.kube import Kubectl
from harness.plugin import Plugin

from pitwall_operator.values.errors import Exit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("crds")]

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("variant", "v", "--sampler", "uniform"), id="variant"),
        pytest.param(
            ("variant", "v", "--sampler", "aks", "--parameter", "peakThreshold=0.8", "--parameter", "maxDepth=5",
             "--max-frames", "16", "--token-budget", "1024", "--encoder", "conse", "--engine", "openai",
             "--endpoint-url", "http://vllm:8000/v1", "--model", "m", "--image", "i:1", "--replicas", "3",
             "--gpus", "1"),
            id="variant-with-everything",
        ),
        pytest.param(("rollout", "r", "--variant", "v"), id="rollout"),
        pytest.param(
            ("rollout", "r", "--variant", "v", "--flag", "f", "--shadow", "0", "--weights", "0.5,10,100",
             "--approve", "10", "--stage-seconds", "60", "--bake-seconds", "86400",
             "--gates", "latency-p999=5,selection-p50,errors=2,cold-queries",
             "--no-dedicated-control", "--on-inconclusive", "FlagOff"),
            id="rollout-with-everything",
        ),
    ],
)  # fmt: skip
def test_what_the_wizard_writes_is_accepted(pitwall: Plugin, kubectl: Kubectl, namespace: str, arguments: tuple[str]):
    text = pitwall("create", *arguments)
    (pitwall.folder / "made.yaml").write_text(text)
    tried = kubectl("apply", "--dry-run=server", "-f", str(pitwall.folder / "made.yaml"), namespace=namespace)

    assert "created (server dry run)" in tried
    assert ": good" in pitwall("lint", "made.yaml")


def test_the_wizard_asks_on_a_terminal_and_applies(pitwall: Plugin, kubectl: Kubectl, namespace: str):
    ours, theirs = pty.openpty()
    command = [str(pitwall.kubectl), "pitwall", "create", "variant", "asked", "--apply"]
    running = subprocess.Popen(
        command, env=pitwall.environment, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
    )
    os.close(theirs)
    os.write(ours, b"aks\nmany\n16\nlocal\n\n")
    said, _ = running.communicate(timeout=60)
    os.close(ours)
    spec = kubectl.get("samplervariant", "asked", namespace)["spec"]

    assert said.strip() == "samplervariant.pitwall.dev/asked created"
    assert (spec["answer"]["engine"], spec["sampler"]["name"], spec["maxFrames"]) == ("local", "aks", 16)


def test_apply_and_delete_are_kubectls(pitwall: Plugin, namespace: str):
    file = str(ROOT / "examples" / "variants.yaml")
    words = [pitwall("apply", "-f", file).split()[1] for _ in range(2)]
    gone = pitwall("delete", "samplervariant", "dpp-v1")
    again = pitwall("delete", "samplervariant", "dpp-v1", exits=Exit.NOT_FOUND)

    assert words == ["created", "unchanged"]
    assert "dpp-v1 deleted" in gone
    assert "does not exist" in again


def test_kubectl_completes_verbs_and_names(pitwall: Plugin, moving: str):
    def completed(*words: str) -> list[str]:
        done = pitwall.run(str(pitwall.kubectl), "__complete", "pitwall", *words)
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    assert completed("prom") == ["promote", ":4"]
    assert completed("status", "") == ["sampler", ":4"]
    assert completed("promote", "-n", "default", "") == [":4"]
    assert "--reason" in completed("kill", "--")


def test_bash_completes_by_the_printed_script(pitwall: Plugin, moving: str, namespace: str):
    ask = (
        f"source <(pitwall completion bash); COMP_WORDS=(pitwall status -n {namespace} sam); COMP_CWORD=4;"
        " _pitwall_completion pitwall; echo ${COMPREPLY[@]}"
    )  # fmt: skip

    assert pitwall.run("bash", "-c", ask).stdout.strip() == "sampler"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(pitwall: Plugin, shell: str):
    assert "_PITWALL_COMPLETE" in pitwall("completion", shell)


def test_the_dashboard_is_printed_or_located(pitwall: Plugin):
    drawn = json.loads(pitwall("dashboard"))

    assert drawn["uid"] == "pitwall"
    assert pitwall("dashboard", "--url", "https://grafana/").strip() == "https://grafana/d/pitwall"


def test_pitwall_speaks_of_a_cluster_when_told_so(pitwall: Plugin, moving: str, namespace: str):
    told = pitwall.run("pitwall", "get", "-n", namespace)
    untold = pitwall.run("pitwall", "get")
    both = pitwall.run("pitwall", "get", "-n", namespace, "--state", "here")

    assert "sampler" in told.stdout
    assert (untold.returncode, both.returncode) == (Exit.NOT_RUNNING, Exit.BAD_INPUT)


def test_the_first_kubeconfig_that_says_something_holds(pitwall: Plugin, moving: str, tmp_path: Path):
    other = tmp_path / "second"
    content = yaml.safe_load(pitwall.kubeconfig.read_text())
    content["current-context"] = "nowhere"
    other.write_text(yaml.safe_dump(content))
    (tmp_path / "empty").touch()
    files = os.pathsep.join(map(str, (tmp_path / "absent", tmp_path / "empty", pitwall.kubeconfig, other)))

    assert "sampler" in replace(pitwall, variables={"KUBECONFIG": files})("get")
