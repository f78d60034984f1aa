"""The worst day on a real Kubernetes: mistakes that are corrected, Rollouts that are made anew, refusals, kills."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from harness.plane.kube import Kubectl
from harness.processes import until
from harness.rollouts import examples
from harness.rollouts.scenario import CANARY, Scenario
from harness.rollouts.world import ask

from pitwall_crds.names import FULL_WEIGHT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BROKEN = "registry.example/pitwall-runtime:broken"
"""The stand-in never has such a pod ready."""
LONG = [{"weightBasisPoints": 2000, "minSeconds": 9999}, CANARY[1]]
"""A canary that stays one."""
ONLY_STABLE = {"uniform-v1": FULL_WEIGHT}


def with_image(scenario: Scenario, variant: str, image: str | None) -> None:
    scenario.patch("samplervariant", variant, {"spec": {"runtime": {"image": image}}})


def replaced(scenario: Scenario) -> None:
    """`kubectl replace --force`: deleted and made anew, as a restored backup or a GitOps tool does it."""
    found = scenario.rollout()
    anew = {**found, "metadata": {"name": scenario.name, "namespace": scenario.namespace}}
    anew.pop("status")
    scenario.kubectl("replace", "--force", "-f", "-", namespace=scenario.namespace, manifest=anew)


def events(scenario: Scenario, reason: str) -> list[str]:
    return [each["message"] for each in scenario.kubectl.list("events", scenario.namespace) if each["reason"] == reason]


def switch(scenario: Scenario, what: str) -> None:
    """`pitwall kill` and `pitwall release`."""
    body = {"actor": "sre", "reason": "a bad feeling"}
    url = f"{scenario.flags.url}/v1/flags/{scenario.flag}/{what}"
    httpx.post(url, json=body, timeout=10, trust_env=False).raise_for_status()


def test_an_edited_candidate_has_no_users_until_its_own_pods_are_ready(scenario: Scenario):
    scenario.start_canary(stages=LONG)
    first = scenario.status()["runId"]

    with_image(scenario, "aks-v1", BROKEN)
    scenario.await_status(lambda status: status["runId"] != first, "a run of its own")
    scenario.await_status(lambda status: "waiting for capacity: aks-v1" in status["reason"], "waiting")
    scenario.await_split(ONLY_STABLE)
    with_image(scenario, "aks-v1", None)

    scenario.await_share("aks-v1", 2000)
    withdrawn = [entry["message"] for entry in scenario.status()["history"] if entry["reason"] == "Withdrawn"]
    assert all("its spec was edited" in message for message in withdrawn)
    assert len(withdrawn) == 2


def test_a_rollout_made_anew_respects_the_flag_and_what_was_taken_off(scenario: Scenario):
    scenario.start_canary(stages=LONG)
    first = scenario.status()["runId"]

    replaced(scenario)
    scenario.await_status(lambda status: status.get("runId", first) != first, "another run")
    scenario.await_share("aks-v1", 2000)
    assert scenario.status()["stableVariant"] == "uniform-v1"
    scenario.ask("Abort")
    scenario.await_phase("Aborted")
    replaced(scenario)

    scenario.await_phase("Aborted")
    scenario.await_split(ONLY_STABLE)
    assert all(split.get("aks-v1", 0) <= 2000 for split in scenario.flags.history(scenario.flag))
    runs = [line["run"] for line in scenario.journal() if line["kind"] == "run"]
    assert len(runs) == len(set(runs)) == 2


def test_an_abort_is_not_lost_where_its_rollout_is_applied_anew_before_its_variant(scenario: Scenario):
    scenario.start_canary(stages=LONG)
    found = scenario.rollout()
    scenario.kubectl("delete", "rollout", scenario.name, namespace=scenario.namespace)
    scenario.kubectl("delete", "samplervariant", "aks-v1", namespace=scenario.namespace)
    anew = {**found, "metadata": {"name": scenario.name, "namespace": scenario.namespace}}
    anew.pop("status")
    anew["spec"] |= {"action": {"id": "a1", "verb": "Abort", "actor": "ann"}}
    scenario.kubectl.apply(anew, scenario.namespace)
    scenario.await_status(lambda status: status.get("lastActionId") == "a1", "the abort")
    scenario.kubectl.apply(examples.variants(), scenario.namespace)

    def is_off(status: dict[str, Any]) -> bool:
        return [(off["variant"], bool(off["revision"])) for off in status["flaggedOff"]] == [("aks-v1", True)]

    scenario.await_status(is_off, "what is declared by now is off")
    scenario.await_phase("Aborted")
    scenario.await_split(ONLY_STABLE)
    assert [line["kind"] for line in scenario.journal()].count("run") == 1


def test_an_old_file_asks_for_nothing_again(scenario: Scenario):
    """It was kept after a retry, and holds that: neither applying it nor replacing the Rollout with it is a retry."""
    scenario.start_canary(stages=LONG)
    scenario.ask("Abort")
    scenario.await_phase("Aborted")
    scenario.ask("Retry")
    scenario.await_share("aks-v1", 2000)
    old = scenario.rollout()
    scenario.ask("Abort")
    scenario.await_split(ONLY_STABLE)

    kept = {**old, "metadata": {"name": scenario.name, "namespace": scenario.namespace}}
    kept.pop("status")
    scenario.kubectl.apply(kept, scenario.namespace)
    retry = kept["spec"]["action"]["id"]
    scenario.await_status(lambda status: status["lastActionId"] == retry, "the retry is told to be none")
    replaced(scenario)
    scenario.await_phase("Aborted")
    scenario.await_split(ONLY_STABLE)

    asked = [line["action"]["id"] for line in scenario.journal() if line["kind"] == "asked"]
    assert len([one for one in asked if one == retry]) == 3
    approved = [one for one in events(scenario, "Approved") if "another try" in one]
    assert len(approved) == 1


def test_a_rollout_of_another_name_serves_what_served_and_keeps_off_what_was_aborted(scenario: Scenario):
    """The candidate was an edit of the stable variant, and somebody restarted its pods before the Rollout came back."""
    scenario.start()
    serves = scenario.status()["stableRevision"]
    scenario.apply("rollout.yaml", spec__stages=LONG)
    scenario.patch("samplervariant", "uniform-v1", {"spec": {"maxFrames": 5}})
    scenario.await_share("uniform-v1", FULL_WEIGHT)
    scenario.await_status(lambda status: bool(status.get("candidateRevision")), "a candidate")
    aborted = scenario.status()["candidateRevision"]
    scenario.ask("Abort")
    scenario.await_phase("Aborted")
    found = scenario.rollout()
    scenario.kubectl("delete", "rollout", scenario.name, namespace=scenario.namespace)
    scenario.kubectl("rollout", "restart", "deployment/uniform-v1", namespace=scenario.namespace)
    scenario.name = "renamed"
    found["spec"].pop("action")
    anew = {**found, "metadata": {"name": scenario.name, "namespace": scenario.namespace}}
    anew.pop("status")
    scenario.kubectl.apply(anew, scenario.namespace)

    scenario.await_phase("Aborted")
    assert scenario.status()["stableRevision"] == serves != aborted
    scenario.await_status(lambda _: pods_of(scenario, "uniform-v1") == (scenario.name, serves), "the pods' labels")


def pods_of(scenario: Scenario, deployment: str) -> tuple[str, str]:
    """Whose a Deployment's pods are, and which revision."""
    found = scenario.kubectl.get("deployment", deployment, scenario.namespace)
    labels = found["spec"]["template"]["metadata"]["labels"]
    return found["metadata"]["labels"]["pitwall.dev/rollout"], labels["pitwall.dev/revision"]


def test_a_rollout_of_another_flag_neither_ends_nor_edits_the_pods_that_the_former_flags_users_have(scenario: Scenario):
    """It is deleted in the middle of a run, its stable variant edited, and it is applied anew with another flag."""
    scenario.start_canary(stages=LONG)
    serves, another = scenario.status()["stableRevision"], f"{scenario.flag}.another"
    found = scenario.rollout()
    scenario.kubectl("delete", "rollout", scenario.name, namespace=scenario.namespace)
    scenario.patch("samplervariant", "uniform-v1", {"spec": {"maxFrames": 5}})
    anew = {**found, "metadata": {"name": scenario.name, "namespace": scenario.namespace}}
    anew.pop("status")
    anew["spec"] |= {"flag": another, "variantRef": {"name": "uniform-v1"}}
    scenario.kubectl.apply(anew, scenario.namespace)

    scenario.await_status(lambda status: bool(status.get("candidateRevision")), "the edit is a run of its own")
    scenario.await_split(ONLY_STABLE)
    until(lambda: scenario.flags.split(another) == ONLY_STABLE, what="the other flag's split")
    assert scenario.status()["stableRevision"] == serves != scenario.status()["candidateRevision"]
    until(lambda: "aks-v1" not in scenario.deployments(), what="the former candidate's pods go with its users")
    assert pods_of(scenario, "uniform-v1") == (scenario.name, serves)

    scenario.apply("rollout-aks.yaml", spec__flag=another, spec__stages=LONG)
    until(lambda: scenario.flags.split(another).get("aks-v1"), what="another candidate")
    scenario.ask("Promote", full=True)
    scenario.await_phase("Stable", variant="aks-v1")
    until(lambda: scenario.flags.split(another) == {"aks-v1": FULL_WEIGHT}, what="the promotion")
    until(lambda: "uniform-v1-control" not in scenario.deployments(), what="the drain")
    assert pods_of(scenario, "uniform-v1")[1] == serves
    assert scenario.split() == ONLY_STABLE
    until(rests(scenario), what="no turn for more than two times five seconds")
    delete_flag(scenario)
    until(lambda: "uniform-v1" not in scenario.deployments(), what="the pods that the deleted flag kept go at once")


def rests(scenario: Scenario) -> Callable[[], bool]:
    """Whether the operator has taken no turn for some time."""
    seen, since = turns(scenario), time.monotonic()

    def claim() -> bool:
        nonlocal seen, since
        if (now := turns(scenario)) != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > 12

    return claim


def turns(scenario: Scenario) -> float:
    """How many turns the operator has taken."""
    told = ask(f"http://127.0.0.1:{scenario.operator.port}/metrics").text
    counts = re.findall(r"^pitwall_operator_turn_seconds_count\{.*\} (\S+)$", told, re.MULTILINE)
    return sum(float(count) for count in counts)


def delete_flag(scenario: Scenario) -> None:
    """`DELETE /v1/flags/KEY`, once nobody asks for it any more."""
    url = f"{scenario.flags.url}/v1/flags/{scenario.flag}"
    seen = {"If-Match": f'"{ask(url).json()["version"]}"'}
    said = {"actor": "sre", "reason": "nobody asks for it"}
    httpx.delete(url, params=said, headers=seen, timeout=10, trust_env=False).raise_for_status()


def test_a_kill_is_shown_and_a_release_brings_back_nobody(scenario: Scenario):
    scenario.start_canary(stages=LONG)
    killed = scenario.status()["runId"]

    switch(scenario, "kill")
    scenario.await_phase("Aborted")
    assert scenario.status()["stage"] == "killed"
    assert scenario.condition("Killed") == "True"
    scenario.apply("rollout-dpp.yaml", spec__stages=LONG)
    scenario.await_status(lambda status: "kill switch is on" in status["reason"], "the next one waits")
    switch(scenario, "release")

    scenario.await_share("dpp-v1", 2000)
    assert scenario.status()["runId"] != killed
    assert "aks-v1" not in scenario.split()


def test_a_promoted_variant_is_undone_and_what_served_before_serves_again(scenario: Scenario):
    scenario.start()
    scenario.apply("rollout-aks.yaml", spec__stages=LONG)
    scenario.ask("Promote", full=True, reason="a fix for everybody")
    scenario.await_phase("Stable", variant="aks-v1")
    scenario.await_split({"aks-v1": FULL_WEIGHT})

    scenario.ask("Undo", reason="slow since noon")
    scenario.await_phase("Aborted", variant="uniform-v1")
    scenario.await_split(ONLY_STABLE)
    told = [entry["message"] for entry in scenario.status()["history"] if entry["reason"] == "Aborted"]
    assert told == ["aks-v1 was aborted: test undid it: slow since noon"]
    assert scenario.rollout()["spec"]["variantRef"]["name"] == "aks-v1", "what a repository states is left alone"

    scenario.ask("Retry")
    scenario.await_share("aks-v1", 2000)


@pytest.mark.soak
def test_what_gets_no_pods_is_stalled_by_its_deadline(scenario: Scenario):
    scenario.start()
    scenario.apply("rollout-aks.yaml", spec__stages=LONG, spec__progressDeadlineSeconds=2)
    with_image(scenario, "aks-v1", BROKEN)

    scenario.kubectl(
        "wait", "--for=condition=Stalled", "rollout/sampler", "--timeout=60s", namespace=scenario.namespace
    )
    assert "no progress for 2 s" in json.dumps(scenario.rollout()["status"]["conditions"])
    until(lambda: events(scenario, "ProgressDeadlineExceeded"), what="a Warning")
    scenario.patch("rollout", scenario.name, {"spec": {"onDeadline": "FlagOff"}})
    scenario.await_phase("FlaggedOff")
    assert scenario.status()["verdict"] == "Unmeasured"


def test_what_a_quota_refuses_is_told_in_its_words(scenario: Scenario):
    scenario.start()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "1"}},
    }
    scenario.kubectl.apply([quota], scenario.namespace)

    scenario.apply("rollout-aks.yaml", spec__stages=LONG)
    scenario.await_status(lambda _: scenario.condition("Applied") == "False", "a condition")
    told = next(each for each in scenario.rollout()["status"]["conditions"] if each["type"] == "Applied")
    assert "exceeded quota: small" in told["message"]
    until(lambda: "exceeded quota" in "".join(events(scenario, "Refused")), what="a Warning")
    scenario.kubectl("delete", "resourcequota", "small", namespace=scenario.namespace)

    scenario.await_share("aks-v1", 2000)
    scenario.await_status(lambda _: scenario.condition("Applied") == "True", "the condition's end")


@pytest.mark.soak
def test_a_broken_first_variant_can_be_corrected(scenario: Scenario):
    scenario.load.start()
    scenario.operator.start()
    variants = [examples.edited(each, "spec.runtime.image", BROKEN) for each in examples.variants()]
    scenario.kubectl.apply([*variants, examples.rollout("rollout.yaml", scenario.flag)], scenario.namespace)
    scenario.await_phase("Pending")
    assert scenario.status()["stableVariant"] == ""
    assert scenario.split() == {}

    with_image(scenario, "uniform-v1", None)
    scenario.await_phase("Stable", variant="uniform-v1")
    scenario.await_split(ONLY_STABLE)


@pytest.mark.soak
def test_a_right_that_is_missing_is_told_in_the_api_servers_words(scenario: Scenario):
    scenario.start()
    [role] = [each for each in scenario.kubectl.list("roles", scenario.namespace) if "deployments" in json.dumps(each)]
    poorer = [rule for rule in role["rules"] if "deployments" not in rule["resources"]]
    poorer.append({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]})
    scenario.patch("role", role["metadata"]["name"], {"rules": poorer})

    scenario.apply("rollout-aks.yaml", spec__stages=LONG)
    scenario.await_status(lambda _: scenario.condition("Applied") == "False", "a condition")
    told = next(each for each in scenario.rollout()["status"]["conditions"] if each["type"] == "Applied")
    assert "cannot patch resource" in told["message"]
    until(lambda: "cannot patch" in "".join(events(scenario, "Refused")), what="a Warning")
    scenario.patch("role", role["metadata"]["name"], {"rules": role["rules"]})

    scenario.await_share("aks-v1", 2000)


@pytest.fixture
def mended_crds(kubectl: Kubectl) -> Iterator[list[dict[str, Any]]]:
    """The definitions, which the test may delete: other tests need them."""
    found = [kubectl.get("crd", name) for name in ("rollouts.pitwall.dev", "samplervariants.pitwall.dev")]
    kept = [{**each, "metadata": {"name": each["metadata"]["name"]}, "status": None} for each in found]
    for each in kept:
        each.pop("status")
    yield kept
    kubectl.apply(kept, "default")


@pytest.mark.soak
def test_definitions_that_were_deleted_and_made_anew_are_watched_again(
    scenario: Scenario, kubectl: Kubectl, mended_crds: list[dict[str, Any]]
):
    scenario.start()
    kubectl("delete", "crd", *(each["metadata"]["name"] for each in mended_crds), "--wait=true")
    until(lambda: scenario.operator.process.has_ended, what="the operator's end")
    assert "watcher for" in scenario.operator.process.last_words()

    kubectl.apply(mended_crds, "default")
    scenario.operator.start()
    until(lambda: "created" in scenario.apply("rollout.yaml"), what="our resources")
    scenario.await_phase("Stable", variant="uniform-v1")
    scenario.await_split(ONLY_STABLE)
