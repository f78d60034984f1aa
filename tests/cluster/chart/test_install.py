"""docs/install.md and the README's first screen, word by word: commands on a cluster, in their order, by who may run
them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness import binaries
from harness.nodes.installed import installed, runtime_template
from harness.plane.kube import admits_pods
from harness.processes import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "install.md").read_text()
IN_THE_PAGE = "video-qa"
"""The namespace that the page speaks of; a test has its own."""


def commands(heading: str, block: int) -> list[str]:
    """The commands of one console block below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    text = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[block]
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def readme_commands() -> list[str]:
    """The README's commands on a cluster, each on one line."""
    text = (ROOT / "README.md").read_text().replace("\\\n", " ")
    return re.findall(r"^\$ ((?:helm|kubectl) .*)$", text, re.MULTILINE)


def words(command: str) -> list[str]:
    """A command's words without its comment, in one spelling."""
    return ["--namespace" if word == "-n" else word for word in shlex.split(command, comments=True)]


class PageReader:
    """Where somebody types the page's commands: a folder, a kubeconfig, a namespace."""

    def __init__(self, folder: Path, kubeconfig: Path, namespace: str) -> None:
        found = binaries.found("helm", "kubectl")
        (folder / "bin").mkdir()
        for name, path in found.items():
            (folder / "bin" / name).symlink_to(path)
        self.folder, self.namespace = folder, namespace
        programs = f"{folder / 'bin'}:{Path(sys.prefix) / 'bin'}"
        self.environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig), "HOME": str(folder),
        }  # fmt: skip

    def run(self, command: str) -> tuple[int, str]:
        """The exit status, and what was printed."""
        here = command.replace(IN_THE_PAGE, self.namespace)
        done = subprocess.run(
            ["bash", "-c", here], cwd=self.folder, env=self.environment,
            capture_output=True, check=False, text=True, timeout=400,
        )  # fmt: skip
        return done.returncode, f"$ {here}\n{done.stdout}{done.stderr}"


def test_the_page_names_both_ways_to_install():
    first, second = commands("Install", 0), commands("Install", 2)

    assert [command.split()[:2] for command in first[:3]] == [
        ["helm", "install"],
        ["helm", "test"],
        ["kubectl", "apply"],
    ]
    assert second[0].startswith("pitwall check-rights")


def test_the_readme_installs_as_the_page_does():
    installs, applies, *_ = readme_commands()

    assert words(installs) == words(commands("Install", 0)[0])
    assert words(applies) == words(commands("Install", 0)[2])


@pytest.fixture
def examples_at_home(tmp_path):
    """The examples, with this machine's programs in the variants' pods."""
    folder = shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("film", "demo"))
    variants = [one for one in yaml.safe_load_all((folder / "variants.yaml").read_text()) if one]
    for variant in variants:
        variant["spec"]["runtime"] = {"template": runtime_template()}
    (folder / "variants.yaml").write_text(yaml.safe_dump_all(variants))


def test_an_administrator_installs_tests_and_applies_the_first_variant(
    kubectl, node, namespace, tmp_path, examples_at_home
):
    terminal = PageReader(tmp_path, kubectl.kubeconfig, namespace)
    with installed(kubectl, namespace, tmp_path, release="pitwall") as chart:
        chart.make_services()
        chart.write_chart(tmp_path / "charts" / "pitwall")
        said = []
        try:
            for command in (*commands("Install", 0), *readme_commands()[2:]):
                status, told = terminal.run(command)
                said.append(told)
                assert status == 0, f"{told}\n{chart.last_words('app.kubernetes.io/name')}"
            until(lambda: "uniform-v1" in chart.variants(), what="the variant in the list of models")
            assert kubectl.get("rollout", "sampler", namespace)["status"].get("stableVariant") == "uniform-v1"
            assert "'unifrom' is unknown" in chart.refusal(), "the webhook judges what is applied"
            assert chart.speaks_plainly()
        finally:
            terminal.run("helm uninstall pitwall --namespace video-qa")

    assert "questions get 503 until a SamplerVariant's pods are" in said[1], "helm test tells what the gateway says"
    assert "uniform-v1" in said[4]
    assert "aks-v1" in said[-1], "the README's last word: the rollout under way"


@pytest.fixture
def admin_of_the_namespace(kubectl, namespace, control_plane):
    """Somebody with Kubernetes' own role `admin` in one namespace, and no right beside."""
    kubectl("create", "rolebinding", "admin", "--clusterrole=admin", "--user=stranger", namespace=namespace)
    until(lambda: admits_pods(kubectl, namespace), what="the namespace's service account")
    return control_plane.kubeconfig_of("stranger")


def test_the_admin_of_a_namespace_learns_what_is_missing_and_installs_once_it_is_there(
    kubectl, namespace, admin_of_the_namespace, tmp_path
):
    terminal = PageReader(tmp_path, admin_of_the_namespace, namespace)
    shutil.copytree(ROOT / "charts", tmp_path / "charts")
    (tmp_path / "examples" / "install").mkdir(parents=True)
    values = (ROOT / "examples" / "install" / "namespaced.yaml").read_text()
    (tmp_path / "examples" / "install" / "namespaced.yaml").write_text(values.replace(IN_THE_PAGE, namespace))
    check, install, *after = commands("Install", 2)

    before, missing = terminal.run(check)
    refused, _ = terminal.run(install)
    terminal.run("helm uninstall pitwall -n video-qa")  # what was made before the refusal
    kubectl("apply", "-f", str(ROOT / "examples" / "install" / "administrator.yaml"))
    try:
        until(lambda: terminal.run(check)[0] == 0, what="the role admin with the new rules")
        installation = terminal.run(install)
        checks = [terminal.run(command) for command in after]
    finally:
        terminal.run("helm uninstall pitwall -n video-qa")
        kubectl("delete", "-f", str(ROOT / "examples" / "install" / "administrator.yaml"))

    assert (before, bool(refused)) == (6, True)
    assert "missing: update rollouts.pitwall.dev/status" in missing
    assert "examples/install/administrator.yaml" in missing
    assert installation[0] == 0, installation[1]
    assert [status for status, _ in checks] == [0, 0], checks
    assert terminal.run(after[0])[0] == 6, "with the release its rights are gone"
