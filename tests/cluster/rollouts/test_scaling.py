"""Kubernetes' own HorizontalPodAutoscaler drives a variant's pods by /scale, on metrics that the test serves."""

from typing import Any

import pytest
from harness.plane import metrics_api
from harness.plane.control_plane import ControlPlane
from harness.plane.kube import Kubectl
from harness.processes import until
from harness.rollouts.scenario import Scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LOAD = "questions-under-way"


@pytest.fixture
def metrics(control_plane: ControlPlane, kubectl: Kubectl):
    with metrics_api.served(control_plane, kubectl) as made:
        yield made


def autoscaler(variant: str, most: int) -> dict[str, Any]:
    """One pod for every ten questions under way, up to so many."""
    target = {"apiVersion": "pitwall.dev/v1alpha1", "kind": "SamplerVariant", "name": variant}
    external = {"metric": {"name": LOAD}, "target": {"type": "AverageValue", "averageValue": "10"}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": variant},
        "spec": {
            "scaleTargetRef": target, "minReplicas": 1, "maxReplicas": most,
            "metrics": [{"type": "External", "external": external}],
        },
    }  # fmt: skip


def pods(scenario: Scenario, variant: str) -> int:
    """Ready pods of the variant's main pool."""
    return scenario.kubectl.get("samplervariant", variant, scenario.namespace).get("status", {}).get("readyReplicas", 0)


def scaled(least: int, most: int) -> dict[str, Any]:
    return {"spec": {"runtime": {"scaling": {"minReplicas": least, "maxReplicas": most}}}}


def test_an_autoscaler_drives_a_variants_pods_between_the_bounds_and_the_operator_keeps_what_the_weight_needs(
    scenario: Scenario, metrics: metrics_api.ExternalMetrics
):
    metrics.values[LOAD] = 31
    scenario.start()
    for variant in ("uniform-v1", "aks-v1"):
        scenario.patch("samplervariant", variant, scaled(2, 5))
    scenario.kubectl.apply(autoscaler("uniform-v1", 9), scenario.namespace)

    try:
        until(lambda: pods(scenario, "uniform-v1") == 4, what="four pods for 31 questions under way")
    except AssertionError as error:
        asked = (("describe", "hpa"), ("get", "apiservice", "-o", "wide"), ("get", "samplervariants", "-o", "yaml"))
        said = "\n".join(scenario.kubectl(*one, namespace=scenario.namespace, check=False) for one in asked)
        raise AssertionError(f"{error}\n{said}") from None
    revision = scenario.status()["stableRevision"]
    metrics.values[LOAD] = 88
    until(lambda: pods(scenario, "uniform-v1") == 5, what="the variant's own bound, below the autoscaler's")
    assert scenario.status()["stableRevision"] == revision, "more pods are no new revision"

    scenario.load.behave(rate=40.0)
    scenario.apply("rollout-aks.yaml", spec__stages=[{"weightBasisPoints": 5000}, {"weightBasisPoints": 10_000}])
    scenario.await_status(lambda status: status["weight"] == "50%", "half of the users at the candidate")
    assert pods(scenario, "aks-v1") == 3, "half of the five pods that served everybody"

    metrics.values[LOAD] = 1
    asked = lambda: scenario.kubectl.get("samplervariant", "uniform-v1", scenario.namespace)["spec"]  # noqa: E731
    until(lambda: asked()["runtime"]["replicas"] == 1, what="an autoscaler that sees the load gone")
    scenario.ask("Abort")
    scenario.await_phase("Aborted")
    back = "everybody came back to as many pods as before, and the control's pods went"
    until(lambda: pods(scenario, "uniform-v1") == 5, what=back)


def test_kubectl_scales_a_variant_as_it_scales_a_deployment(scenario: Scenario):
    scenario.start()
    scenario.patch("samplervariant", "uniform-v1", scaled(1, 5))
    scenario.kubectl("scale", "samplervariant/uniform-v1", "--replicas=3", namespace=scenario.namespace)

    until(lambda: pods(scenario, "uniform-v1") == 3, what="three pods")
    scale = scenario.kubectl(
        "get", "--raw",
        f"/apis/pitwall.dev/v1alpha1/namespaces/{scenario.namespace}/samplervariants/uniform-v1/scale",
    )  # fmt: skip
    assert '"selector":"app.kubernetes.io/name=pitwall-runtime' in scale
