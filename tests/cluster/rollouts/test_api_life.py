"""Resources and statuses that an older release stored go on when the present CRDs and operator take over."""

from pathlib import Path
from typing import Any

import pytest
from harness.plane.kube import Kubectl
from harness.processes import until
from harness.rollouts.scenario import CANARY, FEW, Scenario

from pitwall_crds.reading.load import load_file, revision_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[3]
[UNIFORM] = [one for one in load_file(ROOT / "examples" / "variants.yaml") if one.metadata.name == "uniform-v1"]
FORMER = Path(__file__).parent / "former"
"""The CRDs of release 0.1, as they were."""


@pytest.fixture
def former_crds(kubectl: Kubectl, crds: None):
    """The API server as the older release left it; the present CRDs come back afterwards."""
    kubectl("replace", "-f", str(FORMER))
    until(lambda: "maxSeconds" in kubectl("explain", "rollout.spec.stages"), what="the older schema")
    yield
    kubectl("replace", "-f", str(ROOT / "crds"))


def former_status(revision: str) -> dict[str, Any]:
    """What the older operator remembered of a resting Rollout: mappings where texts are written now."""
    gate = {
        "name": "errors",
        "verdict": "NonInferior",
        "message": "as good",
        "missingTrials": 0,
        "state": {"processes": {}},
    }
    return {
        "observedGeneration": 1, "phase": "Stable", "stage": "stable", "weight": "0%",
        "stableVariant": "uniform-v1", "stableRevision": revision, "runId": "0123456789ab", "verdict": "NonInferior",
        "reason": "uniform-v1 serves everybody", "gates": [gate], "cursor": {"sources": {"gateway": {"time": "1"}}},
        "users": {"split": "0123456789ab"}, "lastActionId": "", "approvedStage": -1,
    }  # fmt: skip


def test_an_upgrade_needs_no_step_by_hand(former_crds: None, scenario: Scenario):
    scenario.apply("rollout.yaml")
    kubectl, namespace = scenario.kubectl, scenario.namespace
    kubectl.patch_status("rollout", "sampler", former_status(revision_of(UNIFORM)), namespace)
    assert scenario.status()["cursor"] == {"sources": {"gateway": {"time": "1"}}}

    kubectl("replace", "-f", str(ROOT / "crds"))
    scenario.start()

    scenario.await_status(lambda status: isinstance(status["cursor"], str), "a memory in its present form")
    stored = kubectl.get("crd", "rollouts.pitwall.dev")["status"]["storedVersions"]
    assert stored == ["v1alpha1"]
    scenario.load.behave(rate=FEW)
    scenario.apply("rollout-aks.yaml", spec__stages=CANARY)
    scenario.await_phase("Canary")
