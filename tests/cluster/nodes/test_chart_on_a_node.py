"""What the chart installs runs on a real node: operator, flag service, gateway, and the runtime that they start.

The same is held by chart/test_install.py where Helm installs it, without TLS.
"""

import pytest
from harness.nodes.installed import installed, runtime_template
from harness.processes import until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(420)]


WITH_TLS = {"flags": {"tls": {"enabled": True}}}


@pytest.fixture
def values():
    """What an installation sets beside what the tests need."""
    return {}


@pytest.fixture
def chart(kubectl, node, namespace, tmp_path, values):
    with installed(kubectl, namespace, tmp_path, values) as made:
        yield made


def resources():
    """A variant whose pods have this machine's programs, and the rollout that serves it."""
    runtime = {"replicas": 1, "template": runtime_template()}
    variant = {"sampler": {"name": "uniform"}, "maxFrames": 8, "runtime": runtime}
    rollout = {
        "flag": "sampler.variant",
        "variantRef": {"name": "uniform-v1"},
        "stages": [{"weightBasisPoints": 10000}],
        "analysis": {"gates": [{"name": "errors", "rate": {"metric": "Errors"}, "marginPercent": 10}]},
    }
    api = {"apiVersion": "pitwall.dev/v1alpha1"}
    return [
        {**api, "kind": "SamplerVariant", "metadata": {"name": "uniform-v1"}, "spec": variant},
        {**api, "kind": "Rollout", "metadata": {"name": "sampler"}, "spec": rollout},
    ]


@pytest.mark.parametrize("values", [pytest.param({}, id="plain"), pytest.param(WITH_TLS, id="TLS")])
def test_the_chart_serves_the_first_variant_and_refuses_an_unknown_sampler(chart, kubectl, namespace, values):
    chart.apply()
    chart.await_ready("operator", 1)
    chart.await_ready("flags", 1)
    until(chart.refusal, what="a word of the webhook")

    kubectl("apply", "-f", "-", namespace=namespace, manifest=resources())
    chart.await_ready("gateway", 1)
    until(lambda: chart.variants() == ["uniform-v1"], what="the variant in the list of models")
    kubectl("apply", "-f", "-", manifest=chart.test_pod())
    kubectl(
        "wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", "pod/pit-pitwall-test", namespace=namespace
    )

    assert "'unifrom' is unknown" in chart.refusal()
    until(
        lambda: kubectl.get("rollout", "sampler", namespace)["status"].get("stableVariant") == "uniform-v1",
        what="the variant as the stable one",
    )  # fmt: skip
    assert chart.speaks_plainly() is (values != WITH_TLS)
