"""The example for KEDA says what KEDA reads, and names a scale and a metric that exist. KEDA itself is not run."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pitwall_crds import names
from pitwall_crds.metrics import SERIES, MetricType
from pitwall_crds.names import Label, Metric
from pitwall_crds.variant.variant import Scaling

ROOT = Path(__file__).parents[2]
FIELDS: dict[str, type] = {
    "scaleTargetRef": dict, "minReplicaCount": int, "maxReplicaCount": int, "pollingInterval": int,
    "cooldownPeriod": int, "fallback": dict, "advanced": dict, "triggers": list,
}  # fmt: skip
"""Of ScaledObject.spec (keda.sh/v1alpha1), what the example uses, with its type."""


@pytest.fixture
def spec() -> dict[str, Any]:
    scaled = yaml.safe_load((ROOT / "examples" / "scaling" / "keda.yaml").read_text(encoding="utf-8"))
    assert (scaled["apiVersion"], scaled["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    found: dict[str, Any] = scaled["spec"]
    return found


def test_it_uses_fields_that_keda_has_with_values_of_their_types(spec: dict[str, Any]):
    assert {name: type(value) for name, value in spec.items()} == FIELDS
    assert spec["advanced"].keys() <= {"restoreToOriginalReplicaCount", "horizontalPodAutoscalerConfig"}
    assert {name: type(value) for name, value in spec["fallback"].items()} == {"failureThreshold": int, "replicas": int}
    for trigger in spec["triggers"]:
        assert trigger.keys() == {"type", "metricType", "metadata"}
        assert {type(value) for value in trigger["metadata"].values()} == {str}, "metadata of a trigger are texts"
        assert {"serverAddress", "query", "threshold"} <= trigger["metadata"].keys()


def test_what_it_scales_has_a_scale_and_takes_its_bounds(spec: dict[str, Any]):
    crd = yaml.safe_load((ROOT / "crds" / "pitwall.dev_samplervariants.yaml").read_text(encoding="utf-8"))["spec"]
    (version,) = crd["versions"]
    target = spec["scaleTargetRef"]

    assert (target["apiVersion"], target["kind"]) == (f"{crd['group']}/{version['name']}", crd["names"]["kind"])
    assert target["apiVersion"] == names.API_VERSION
    assert version["subresources"]["scale"]["specReplicasPath"] == ".spec.runtime.replicas"
    bounds = Scaling(min_replicas=spec["minReplicaCount"], max_replicas=spec["maxReplicaCount"])
    assert 1 <= bounds.min_replicas <= spec["fallback"]["replicas"] <= bounds.max_replicas


def test_it_follows_a_metric_that_is_exported_under_these_labels(spec: dict[str, Any]):
    (trigger,) = spec["triggers"]
    query = trigger["metadata"]["query"]

    assert f"{Metric.QUERY_LATENCY}_sum{{" in query
    assert SERIES[Metric.QUERY_LATENCY].type is MetricType.HISTOGRAM
    assert f'{Label.SAMPLER_VARIANT}="{spec["scaleTargetRef"]["name"]}"' in query
    assert float(trigger["metadata"]["threshold"]) > 0
