"""Which URLs a cluster's EndpointSlices are."""

import pytest

from pitwall_gateway.pools.slices import Slice, Slices, variants


def a_slice(name="aks-v2-x", pool="main", variant="aks-v2", created="2026-01-01T00:00:00Z", service=None, **fields):
    service = service or {"main": variant}.get(pool, f"{variant}-{pool}")
    labels = {"app.kubernetes.io/managed-by": "pitwall", "pitwall.dev/variant": variant, "pitwall.dev/pool": pool}
    owner = {"kind": "Service", "name": service, "controller": True}
    head = {"name": name, "creationTimestamp": created, "resourceVersion": "7", "ownerReferences": [owner]}
    whole = {
        "metadata": {**head, "labels": labels | {"kubernetes.io/service-name": service}},
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


def changed(**head):
    """A slice whose metadata say something else of whose it is."""
    honest = a_slice()
    return honest.model_copy(update={"metadata": honest.metadata.model_copy(update=head)})


LABELS = a_slice().metadata.labels
OWNER = a_slice().metadata.owners[0]


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(a_slice("kims-x", service="kims-own"), id="of a Service of another name with a pool's labels"),
        pytest.param(a_slice("x", service="aks-v2-control"), id="of another pool's Service"),
        pytest.param(changed(labels={**LABELS, "kubernetes.io/service-name": "kims-own"}), id="of a name of its own"),
        pytest.param(changed(labels={**LABELS, "kubernetes.io/service-name": ""}), id="of no Service's name"),
        pytest.param(changed(owners=()), id="that no Service owns"),
        pytest.param(changed(owners=(OWNER.model_copy(update={"name": "kims-own"}),)), id="that another Service owns"),
        pytest.param(changed(owners=(OWNER.model_copy(update={"controller": None}),)), id="that nobody controls"),
        pytest.param(changed(owners=(OWNER.model_copy(update={"kind": "Pod"}),)), id="of something that is no Service"),
    ],
)
def test_nobodys_slice_brings_pods_into_a_pool(foreign):
    """Labels are copied by whoever likes: such a pod read users' questions, and answered them as stable."""
    mine = a_slice("aks-v2-mine", endpoints=[an_endpoint("10.0.0.9", "pod-9")])
    assert variants([foreign, mine]) == {"aks-v2": {"stable": ["http://10.0.0.9:8000"]}}
    assert variants([foreign]) == {}


def test_the_variant_that_has_been_there_longest_comes_first():
    young = a_slice("a", variant="aks-v2", created="2026-02-01T00:00:00Z")
    old = a_slice("b", variant="uniform-v1", created="2026-01-01T00:00:00Z")

    assert list(variants([young, old])) == ["uniform-v1", "aks-v2"]


def test_an_empty_list_of_the_api_server_is_read():
    listed = Slices.model_validate_json('{"metadata": {"resourceVersion": "42"}, "items": null}')

    assert (listed.items, listed.metadata.resource_version) == ((), "42")
