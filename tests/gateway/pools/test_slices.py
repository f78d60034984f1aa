"""Which URLs a cluster's EndpointSlices are."""

import pytest

from pitwall_gateway.pools.slices import Slice, Slices, variants


def a_slice(name="aks-v2-x", pool="main", variant="aks-v2", created="2026-01-01T00:00:00Z", **fields):
    labels = {"app.kubernetes.io/managed-by": "pitwall", "pitwall.dev/variant": variant, "pitwall.dev/pool": pool}
    whole = {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": created, "resourceVersion": "7"},
        "addressType": "IPv4",
        "ports": [{"name": "metrics", "port": 9000}, {"name": "http", "port": 8000}],
        "endpoints": [an_endpoint()],
    }
    return Slice.model_validate(whole | fields)


def an_endpoint(address="10.0.0.1", uid="pod-1", **conditions):
    return {"addresses": [address], "conditions": conditions, "targetRef": {"kind": "Pod", "uid": uid}}


ONE = ["http://10.0.0.1:8000"]


@pytest.mark.parametrize(
    ("slices", "routes"),
    [
        pytest.param([a_slice()], {"aks-v2": {"stable": ONE}}, id="the-main-pool-is-the-stable-arm"),
        pytest.param([a_slice(pool="control")], {"aks-v2": {"control": ONE}}, id="the-control-pool"),
        pytest.param(
            [a_slice(pool="candidate")], {"aks-v2": {"candidate": ONE, "shadow": ONE}}, id="candidates-get-copies-too"
        ),
        pytest.param([a_slice(pool="spare")], {}, id="an-unknown-pool-is-nobodys"),
        pytest.param([a_slice(variant="")], {}, id="a-slice-of-no-variant-is-none-of-ours"),
        pytest.param(
            [a_slice(endpoints=[an_endpoint(ready=False), an_endpoint("10.0.0.2", "pod-2", ready=True)])],
            {"aks-v2": {"stable": ["http://10.0.0.2:8000"]}},
            id="only-ready-pods",
        ),
        pytest.param([a_slice(endpoints=[an_endpoint(ready=False)])], {"aks-v2": {"stable": []}}, id="nobody-is-ready"),
        pytest.param([a_slice(endpoints=None, ports=None)], {"aks-v2": {"stable": []}}, id="lists-that-are-null"),
        pytest.param([a_slice(ports=[{"name": "x", "port": 1}])], {"aks-v2": {"stable": []}}, id="no-port-named-http"),
        pytest.param([a_slice(), a_slice("aks-v2-y")], {"aks-v2": {"stable": ONE}}, id="a-pod-in-two-slices-once"),
        pytest.param(
            [a_slice("six", addressType="IPv6", endpoints=[an_endpoint("fd00::1")]), a_slice("zz-four")],
            {"aks-v2": {"stable": ONE}},
            id="a-pod-of-two-families-once",
        ),
        pytest.param(
            [a_slice(addressType="IPv6", endpoints=[an_endpoint("fd00::1")])],
            {"aks-v2": {"stable": ["http://[fd00::1]:8000"]}},
            id="an-address-of-ipv6-stands-in-brackets",
        ),
    ],
)
def test_the_routes_are(slices, routes):
    assert variants(slices) == routes


def test_the_variant_that_has_been_there_longest_comes_first():
    young = a_slice("a", variant="aks-v2", created="2026-02-01T00:00:00Z")
    old = a_slice("b", variant="uniform-v1", created="2026-01-01T00:00:00Z")

    assert list(variants([young, old])) == ["uniform-v1", "aks-v2"]


def test_an_empty_list_of_the_api_server_is_read():
    listed = Slices.model_validate_json('{"metadata": {"resourceVersion": "42"}, "items": null}')

    assert (listed.items, listed.metadata.resource_version) == ((), "42")
