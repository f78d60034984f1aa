"""Whoever sends a candidate with an image of its own on its way hears that its cache begins empty."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pitwall_operator.cluster import settings
from pitwall_operator.cluster.webhook.admission import review
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS

ROLLOUT = yaml.safe_load((Path(__file__).parents[4] / "examples" / "rollout-aks.yaml").read_text())
KNOWN = settings.read(["--flags-url", "http://f", "--runtime-image", "i"]).known
LATENCY = {"name": "slow", "quantile": {"metric": "QueryLatency", "perMille": 950}}
ERRORS = {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 100}


def env(name: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "runtime", "env": [{"name": name, "value": ""}]}]}}


def variant(name: str, **runtime: Any) -> dict[str, Any]:
    head = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
    spec = {"sampler": {"name": "aks"}, "runtime": runtime}
    return {"apiVersion": "pitwall.dev/v1alpha1", "kind": "SamplerVariant", "metadata": head, "spec": spec}


def told(gates: list[dict[str, Any]], stable: str = "", **runtime: Any) -> list[str]:
    cache = Cache()
    cache.put(VARIANTS, variant("paper-v1", **runtime))
    cache.put(VARIANTS, variant("paper-v0", image="paper:1"))
    head = {"name": "sampler", "namespace": "shop", "uid": "sampler", "resourceVersion": "1"}
    spec = {**ROLLOUT["spec"], "variantRef": {"name": "paper-v1"}, "analysis": {"gates": gates}}
    found = {**ROLLOUT, "metadata": head, "spec": spec}
    if not stable:
        answer = review(ROLLOUTS, "CREATE", found, cache, KNOWN)
    else:
        cache.put(ROLLOUTS, {**found, "status": {"stableVariant": stable}})
        answer = review(ROLLOUTS, "UPDATE", found, cache, KNOWN)
    assert answer.refusals == ()
    return [words for words in answer.warnings if "cache begins empty" in words]


def test_a_gate_about_pods_beside_an_image_of_its_own_is_told_with_the_remedy():
    [words] = told([ERRORS, LATENCY], image="paper:1")
    assert words == (
        "'paper-v1' has an image of its own, so its cache begins empty, unlike its control's: gate slow may condemn or "
        "hold it for that; give PITWALL_BUILD in its pod template if it embeds alike, or warmupSeconds"
    )
    [more] = told([LATENCY, {**LATENCY, "name": "slower"}], image="paper:1")
    assert "gate slow and 1 more may" in more


@pytest.mark.parametrize(
    ("gates", "runtime"),
    [
        pytest.param([LATENCY], {}, id="the installation's image"),
        pytest.param([ERRORS], {"image": "paper:1"}, id="no gate about pods"),
        pytest.param([LATENCY], {"image": "paper:1", "template": env("PITWALL_BUILD")}, id="vouched for"),
        pytest.param([{**LATENCY, "warmupSeconds": 1800}], {"image": "paper:1"}, id="a warm-up"),
        pytest.param([ERRORS, {**LATENCY, "onHarm": "Observe"}], {"image": "paper:1"}, id="observed alone"),
    ],
)
def test_where_it_can_mislead_nobody_nothing_is_told(gates, runtime):
    assert told(gates, **runtime) == []


def test_what_vouches_for_something_else_is_told_and_the_image_of_stable_is_not():
    assert len(told([LATENCY], image="paper:1", template=env("LOG_LEVEL"))) == 1
    assert told([LATENCY], "paper-v0", image="paper:1") == []
    assert len(told([LATENCY], "paper-v0", image="paper:2")) == 1
