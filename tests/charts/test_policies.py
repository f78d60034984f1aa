"""Who may reach whom over the network."""

import ipaddress

import pytest

pytestmark = pytest.mark.slow


OURS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "race"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "pitwall", "app.kubernetes.io/instance": "pit"}},
}
"""This release's pods: the label alone could be put on a pod by anybody, so the namespace is said too."""


def policy(rendered, component):
    found = rendered.one("NetworkPolicy", f"-{component}")["spec"]
    assert found["policyTypes"] == ["Ingress", "Egress"]
    return found


def test_who_reaches_flags_and_runtimes(render):
    rendered = render("everything")
    (pods, scraping) = policy(rendered, "flags")["ingress"]
    (asking,) = policy(rendered, "runtimes")["ingress"]

    assert pods["from"] == [OURS, {"namespaceSelector": {"matchLabels": {"team": "search"}}}]
    assert [port["port"] for port in scraping["ports"]] == ["metrics"]
    assert [port["port"] for port in pods["ports"]] == ["http", "sync"]
    assert OURS in asking["from"]
    assert rendered.one("NetworkPolicy", "-runtimes")["metadata"]["namespace"] == "video-qa"


@pytest.mark.parametrize(
    "named", [{}, {"from": [{"ipBlock": {"cidr": "10.0.0.0/28"}}]}], ids=["everybody", "the API servers alone"]
)
def test_who_may_post_reviews(render, named):
    (reviews, _) = policy(render("default", **{"networkPolicies.apiServers": named.get("from", [])}), "operator")[
        "ingress"
    ]

    assert reviews == {"ports": [{"port": "webhook"}], **named}


def test_policies_are_there_unless_they_are_switched_off(render):
    names = {one["metadata"]["name"] for one in render("default").all("NetworkPolicy")}

    assert names == {f"pit-pitwall-{component}" for component in ("operator", "flags", "gateway", "runtimes")}
    assert render("default", **{"networkPolicies.enabled": False}).all("NetworkPolicy") == []


def ports(rules):
    return {port["port"] for rule in rules for port in rule.get("ports", ())}


def test_where_each_component_may_go(render):
    rendered = render("everything")
    leaves = {name: policy(rendered, name)["egress"] for name in ("operator", "flags", "gateway", "runtimes")}

    assert ports(leaves["operator"]) == {53, 443, 6443, 8000, 8015, 8016, 9090}
    assert ports(leaves["flags"]) == {53, 5432}
    assert ports(leaves["gateway"]) == {53, 443, 6443, 8000, 8015, 8016}
    assert leaves["runtimes"][1:] == [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]
    to_flags = [rule for rule in leaves["gateway"] if {"port": 8015} in rule.get("ports", ())]
    assert [rule["to"] for rule in to_flags] == [[OURS]]


@pytest.mark.parametrize(
    ("watched", "namespaces"),
    [
        pytest.param([], {}, id="everywhere"),
        pytest.param(
            ["video-qa", "shop"],
            {
                "matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["video-qa", "shop"]}
                ]
            },
            id="in the namespaces that it watches",
        ),
    ],
)
def test_the_operator_may_ask_runtimes_for_their_samplers(render, watched, namespaces):
    leaves = policy(render("default", **{"watch.namespaces": watched}), "operator")["egress"]

    (asks,) = [rule for rule in leaves if {"port": 8000} in rule["ports"]]
    runtimes = {"matchLabels": {"app.kubernetes.io/name": "pitwall-runtime"}}
    assert asks["to"] == [{"namespaceSelector": namespaces, "podSelector": runtimes}]


def test_ingest_workers_go_where_runtimes_go_and_only_scrapers_come_to_them(render):
    rendered = render("everything")
    workers = policy(rendered, "ingest")

    assert workers["egress"] == policy(rendered, "runtimes")["egress"]
    (scraping,) = workers["ingress"]
    assert [port["port"] for port in scraping["ports"]] == ["metrics"]
    assert rendered.one("NetworkPolicy", "-ingest")["metadata"]["namespace"] == "video-qa"
    assert policy(render("everything", **{"networkPolicies.scrapers": []}), "ingest").get("ingress", []) == []


@pytest.mark.parametrize(
    "told",
    ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fe80::1"],
)
def test_by_default_runtimes_go_everywhere_but_to_what_clouds_tell_their_machines(render, told):
    (rule,) = policy(render("default"), "runtimes")["egress"][1:]
    blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]

    def is_within(address, cidr):
        return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)

    def let_through(address):
        around = [block for block in blocks if is_within(address, block["cidr"])]
        return any(not any(is_within(address, cidr) for cidr in block["except"]) for block in around)

    assert not let_through(told)
    assert let_through("8.8.8.8")
    assert let_through("2606:4700:4700::1111")


def test_a_second_gateway_reaches_the_first_releases_flags_and_its_operator_the_seconds_runtimes(release):
    """By the files that the page names: the policies of either release would keep them apart."""

    first = release("pitwall", "video-qa", "first-of-two-gateways.yaml")
    second = release("second", "shop", "second-gateway.yaml")

    def lets_in(ingress, namespace, pod):
        where = {"kubernetes.io/metadata.name": namespace}
        return any(
            where.items() >= peer["namespaceSelector"]["matchLabels"].items()
            and pod["metadata"]["labels"].items() >= peer["podSelector"]["matchLabels"].items()
            for peer in ingress["from"]
        )

    gateway, operator = second.pods()["gateway"], first.pods()["operator"]
    assert lets_in(policy(first, "flags")["ingress"][0], "shop", gateway)
    assert lets_in(policy(second, "runtimes")["ingress"][0], "video-qa", operator)
    assert not lets_in(policy(first, "flags")["ingress"][0], "elsewhere", gateway)
    (container,) = gateway["spec"]["containers"]
    (token,) = [one for one in container["env"] if one["name"] == "PITWALL_FLAGS_EVALUATE_TOKEN"]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "shop-flag", "key": "evaluate"}
    assert not second.all("Secret") or "pitwall-flags-tokens" not in second.text
