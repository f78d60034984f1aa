"""What the chart's objects say, for every values file beside this test."""

import base64
import hashlib
import itertools
import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from unittest import mock

import kubernetes_validate
import pytest
import yaml
from harness import binaries

from pitwall_flags.service import __main__ as flags_service
from pitwall_flags.service.auth import AccessTokens, TokenScope
from pitwall_gateway.serve import settings as gateway_settings
from pitwall_operator.cluster import settings as operator_settings
from pitwall_operator.kube import rights
from pitwall_operator.kube.allowed import NOTHING_ALLOWED, TemplateAllowance
from pitwall_operator.kube.rights import Right
from pitwall_runtime.ingest.__main__ import ingest_options

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "pitwall"
ADMINISTRATOR = ROOT / "examples" / "install" / "administrator.yaml"
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.36.0-local-strict"
OF_OTHERS = "PodMonitor,PrometheusRule,Certificate,Issuer"
"""Kinds whose schemas are not Kubernetes' own."""


def test_lint_finds_nothing(helm):
    found = helm("lint", "--strict", "--quiet", CHART)

    assert "[ERROR]" not in found
    assert "[WARNING]" not in found


def test_what_helm_reads_from_inside_the_chart_is_what_was_generated():
    pairs = [(path, CHART / "files" / "crds" / path.name) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    pairs += [(ROOT / "dashboards" / name, CHART / "files" / name) for name in ("pitwall.json", "rules.yaml")]

    assert [copy.name for source, copy in pairs if source.read_bytes() != copy.read_bytes()] == []
    assert len(list((CHART / "files" / "crds").iterdir())) == len(pairs) - 2


def _with_own_references(path):
    return json.loads(path.read_text().replace("/api/_definitions.json#", "#"))


def _reached(schema, shared):
    """The definitions that a schema refers to, and those that these refer to."""
    found, fresh = {}, {"": schema}
    while fresh:
        found |= fresh
        names = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(list(fresh.values()))))
        fresh = {name: shared[name] for name in names - found.keys()}
    return {name: definition for name, definition in found.items() if name}


@pytest.fixture(scope="session")
def schemas(tmp_path_factory):
    """Kubernetes' schemas, each with the definitions that it refers to inside."""
    folder = tmp_path_factory.mktemp("schemas")
    shared = _with_own_references(SCHEMAS / "_definitions.json")["$defs"]

    def add(kinds):
        for kind, version in kinds:
            group = version.split("/")[0].split(".")[0] + "-" if "/" in version else ""
            name = f"{kind.lower()}-{group}{version.rsplit('/')[-1]}.json"
            schema = _with_own_references(SCHEMAS / name)
            whole = {**schema, "$id": f"file:///{name}", "$defs": _reached(schema, shared)}
            (folder / name).write_text(json.dumps(whole))
        return folder

    return add


def test_kubeconform_accepts_every_object(rendered, schemas, tmp_path):
    kinds = {(one["kind"], one["apiVersion"]) for one in rendered.objects if one["kind"] not in OF_OTHERS.split(",")}
    where = schemas(kinds) / "{{ .ResourceKind }}{{ .KindSuffix }}.json"
    (tmp_path / "all.yaml").write_text(rendered.text)
    command = [binaries.found("kubeconform")["kubeconform"], "-strict", "-summary", "-output", "json"]
    command += ["-schema-location", str(where), "-skip", OF_OTHERS, tmp_path / "all.yaml"]

    told = json.loads(subprocess.run(command, capture_output=True, check=False, text=True, timeout=120).stdout)

    assert told["resources"] == []
    assert told["summary"]["invalid"] == told["summary"]["errors"] == 0
    assert told["summary"]["valid"] >= 10


def test_every_object_says_what_it_belongs_to(rendered):
    for one in rendered.objects:
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "pitwall"
        assert labels["app.kubernetes.io/instance"] == "pit"
        assert labels["app.kubernetes.io/managed-by"] == "Helm", "the gateway takes `pitwall` for a runtime's Service"
        assert labels["app.kubernetes.io/component"]
        assert labels["app.kubernetes.io/version"]


def test_every_pod_is_confined(rendered):
    for pod in rendered.pods().values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 10_000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]


def test_only_pods_that_speak_to_the_api_server_have_a_token(rendered):
    mounts = {name: pod["spec"].get("automountServiceAccountToken", True) for name, pod in rendered.pods().items()}

    assert mounts.pop("ingest", False) is False
    assert mounts == {"operator": True, "gateway": True, "flags": False, "test": False}


def test_ingest_workers_and_runtimes_share_a_queue_and_stores_that_they_understand(render):
    rendered = render("everything")
    with mock.patch.dict(os.environ, {operator_settings.TOKEN_VARIABLE: "x"}):
        runtimes = operator_settings.read(rendered.arguments("operator")).defaults
    worker = ingest_options(rendered.arguments("ingest"))

    assert set(runtimes.arguments) <= set(rendered.arguments("ingest"))
    assert worker.queue_url == "redis://queue.video-qa.svc:6379/0?stream=films"
    assert (worker.shared_url, worker.hot_url) == (
        "s3://films/pitwall?endpoint=https://s3.example",
        "redis://queue.video-qa.svc:6379/1",
    )
    assert worker.cache_bytes == 20 * 2**30 * 4 // 5
    assert [path.name for path in worker.variant] == ["aks-v1.yaml"]


def test_selectors_find_the_pods_of_their_component_only(rendered):
    pods = {component: pod["metadata"]["labels"] for component, pod in rendered.pods().items()}
    selectors = {
        (one["kind"], one["metadata"]["name"]): one["spec"]["selector"].get("matchLabels", one["spec"]["selector"])
        for one in rendered.objects
        if "selector" in one.get("spec", {}) and not one["metadata"]["name"].endswith("-runtimes")
    }

    for (kind, name), selector in selectors.items():
        found = [component for component, labels in pods.items() if selector.items() <= labels.items()]
        assert found == [name.rsplit("-", 1)[-1]], f"{kind} {name}"


def test_every_command_line_is_understood_by_its_program(rendered):
    with mock.patch.dict(os.environ, {"POD_NAME": "operator-1", "POD_NAMESPACE": "race"}):
        operator = operator_settings.read(rendered.arguments("operator"))
    flags = flags_service.read_settings(rendered.arguments("flags"))
    gateway = gateway_settings.read_settings(rendered.arguments("gateway"))
    ports = {
        component: {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0].get("ports", [])}
        for component, pod in rendered.pods().items()
    }

    assert ports["operator"]["http"] == operator.port
    assert ports["operator"].get("webhook", operator.webhook_port) == operator.webhook_port
    assert ports["flags"] == {"http": flags.http_port, "sync": flags.sync_port}
    assert ports["gateway"] == {"http": gateway.port, "metrics": gateway.metrics_port}
    host = rendered.one("Service", "-flags")["metadata"]["name"] + ".race.svc"
    scheme = "https" if flags.certificate else "http"
    assert operator.flags_url == f"{scheme}://{host}:{flags.http_port}"
    assert bool(operator.flags_authority) == bool(gateway.flags_authority) == bool(flags.certificate)
    assert gateway.flags_sync == f"{host}:{flags.sync_port}"


@pytest.mark.parametrize(("said", "questions"), [({}, 4), ({"gateway.warmQuestions": 0}, 0)], ids=["nothing", "none"])
def test_the_gateway_is_told_how_many_questions_warm_a_new_pod(render, said, questions):
    told = gateway_settings.read_settings(render(**said).arguments("gateway"))

    assert told.rules.warm.questions == questions


def test_the_operator_is_told_what_the_values_say_of_runtimes(render):
    with mock.patch.dict(os.environ, {"POD_NAME": "operator-1", "POD_NAMESPACE": "race"}):
        told = operator_settings.read(render("everything").arguments("operator"))

    assert told.namespaces == ("video-qa",)
    assert told.defaults.image == "registry.example/team/pitwall-runtime:1.2.3"
    assert told.defaults.image_pull_secrets == ("registry",)
    assert told.defaults.media_volume == {"persistentVolumeClaim": {"claimName": "films", "readOnly": True}}
    assert set(told.defaults.cache_volume) == {"ephemeral"}
    assert told.defaults.of("search").media_volume["persistentVolumeClaim"]["claimName"] == "search-films"
    assert told.defaults.of("search").cache_volume == told.defaults.cache_volume
    assert told.known.parameters["ours"] == {"depth", "width"}
    assert told.defaults.allowed == told.known.allowed
    assert told.defaults.allowed == TemplateAllowance(True, True, True, ("/films",), ("reads",), ("hub",))


def test_keys_are_where_no_runtime_may_be_and_prefixes_are_bound(render):
    with mock.patch.dict(os.environ, {"POD_NAME": "operator-1", "POD_NAMESPACE": "race"}):
        apart, together = (
            operator_settings.read(render(case).arguments("operator")) for case in ("everything", "default")
        )

    assert apart.known.keys_in == "race"
    assert together.known.keys_in == "", "one namespace holds all"
    assert apart.known.prefixes.by_namespace == {"video-qa": ("sampler.", "video.")}
    assert together.known.prefixes.by_namespace == {}
    assert flags_service.read_settings(render("everything").arguments("flags")).flag_sets[-1].name == "sets.json"


def test_variants_may_reach_beyond_their_pods_by_nothing_unless_it_is_said(render):
    with mock.patch.dict(os.environ, {"POD_NAME": "operator-1", "POD_NAMESPACE": "race"}):
        told = operator_settings.read(render("default").arguments("operator"))

    assert told.defaults.allowed == NOTHING_ALLOWED


def test_the_gateway_gets_the_digest_of_the_key_that_was_made_and_not_the_key(render):
    rendered = render("default")
    secret = rendered.one("Secret", "-gateway-callers")["stringData"]
    (caller,) = json.loads(secret["callers.json"])["callers"]
    volumes = {one["name"]: one for one in rendered.pods()["gateway"]["spec"]["volumes"]}

    assert caller["keys"] == ["sha256:" + hashlib.sha256(secret["key"].encode()).hexdigest()]
    assert len(secret["key"]) == 48
    assert [item["key"] for item in volumes["callers"]["secret"]["items"]] == ["callers.json"]


def test_the_gateways_token_is_for_its_own_flag_alone(render, tmp_path):
    rendered = render("default")
    secret = {key: base64.b64decode(text) for key, text in rendered.one("Secret", "-tokens")["data"].items()}
    environment = {env["name"]: env for env in rendered.pods()["gateway"]["spec"]["containers"][0]["env"]}
    (path,) = flags_service.read_settings(rendered.arguments("flags")).flag_sets
    mounts = {one["name"]: one for one in rendered.pods()["flags"]["spec"]["containers"][0]["volumeMounts"]}
    (tmp_path / "gateway.json").write_bytes(secret["gateway.json"])
    tokens = AccessTokens.from_environment(
        {f"PITWALL_FLAGS_{scope.upper()}_TOKEN": secret[scope].decode() for scope in ("evaluate", "write", "kill")},
        [tmp_path / "gateway.json"],
    )

    assert environment["PITWALL_FLAGS_EVALUATE_TOKEN"]["valueFrom"]["secretKeyRef"]["key"] == "gateway"
    assert str(path) == mounts["tokens"]["mountPath"] + "/gateway.json"
    assert tokens.roots(secret["gateway"].decode(), tuple(TokenScope)) == {"sampler.variant"}
    assert tokens.scopes(secret["gateway"].decode()) == {TokenScope.EVALUATE}


@pytest.mark.parametrize(
    ("values", "secret", "key"),
    [
        ({"flags.tokens.existingSecret": "mine"}, "mine", "evaluate"),
        ({"flags.enabled": False, "flags.external.host": "flags"}, "pitwall-flags-tokens", "evaluate"),
        ({"gateway.flagsToken": {"existingSecret": "mine", "key": "of-search"}}, "mine", "of-search"),
    ],
    ids=["tokens made outside", "a service of another release", "a token of a flag set"],
)
def test_the_gateways_token_may_be_made_outside(render, values, secret, key):
    environment = {env["name"]: env for env in render(**values).pods()["gateway"]["spec"]["containers"][0]["env"]}

    assert environment["PITWALL_FLAGS_EVALUATE_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": secret, "key": key}


def test_pages_of_an_origin_may_evaluate_where_the_values_say_so(render):
    origins = ["https://app.example.com", "*"]

    assert flags_service.read_settings(render().arguments("flags")).cors_origin == []
    assert (
        flags_service.read_settings(render(**{"flags.corsOrigins": origins}).arguments("flags")).cors_origin == origins
    )
    with pytest.raises(Exception, match="corsOrigins"):
        render(**{"flags.corsOrigins": ["app.example.com/page"]})


def test_what_a_gateway_counted_is_shown_to_those_who_scrape_alone(render):
    rendered = render("everything")
    ingress = rendered.one("NetworkPolicy", "-gateway")["spec"]["ingress"]

    assert "metrics" not in [port["name"] for port in rendered.one("Service", "-gateway")["spec"]["ports"]]
    assert rendered.one("PodMonitor", "-gateway")["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    assert [[port["port"] for port in rule["ports"]] for rule in ingress if "from" in rule] == [["metrics"]]


def test_tokens_need_an_issuer_and_an_audience(render):
    tokens = {"gateway.tokens.keys": "https://idp/jwks", "gateway.tokens.issuer": "https://idp"}
    told = gateway_settings.read_settings(
        render(**tokens, **{"gateway.tokens.audience": "pitwall"}).arguments("gateway")
    )

    assert told.rules.callers.tokens.issuer == "https://idp"
    with pytest.raises(Exception, match=r"needs gateway\.tokens\.audience"):
        render(**tokens)


def test_no_secret_stands_in_a_command_line(rendered):
    for component, pod in rendered.pods().items():
        (container,) = pod["spec"]["containers"]
        plain = [one["name"] for one in container.get("env", []) if "TOKEN" in one["name"] and "value" in one]
        assert plain == [], component


def test_a_set_of_namespaces_needs_no_right_outside_of_them(render):
    rendered = render("namespaced")
    cluster_wide = [
        one["kind"] for one in rendered.objects if one["kind"].startswith("Cluster") or "Webhook" in one["kind"]
    ]
    places = {one["metadata"]["namespace"] for one in rendered.all("Role") + rendered.all("RoleBinding")}

    assert cluster_wide == []
    assert places == {"race", "video-qa", "search"}
    assert rendered.all("CustomResourceDefinition") == []


@pytest.mark.parametrize("case", ["default", "namespaced", "everything"])
def test_nobody_is_given_more_than_he_uses(render, case):
    roles = render(case).all("ClusterRole") + render(case).all("Role")
    given = {part: set(_given(roles, part)) for part in ("-operator", "-operator-lease", "-gateway")}

    assert {replace(right, name="") for right in given["-operator-lease"]} == rights.LEASE
    everywhere = any(role["kind"] == "ClusterRole" and _is_of(role, "-operator") for role in roles)
    own = rights.SURVEY if everywhere else rights.CLAIMS
    assert {replace(right, name="") for right in given["-operator"]} == rights.OPERATOR | own
    named = {right.verb for right in given["-operator"] if right.resource == "leases" and not right.name}
    assert named <= {"create", "list"}, "no Lease of somebody else may be read alone or changed"
    assert given["-gateway"] == rights.GATEWAY
    assert not any("*" in str(right) for right in rights.INSTALLER)
    assert not any(right.resource == "secrets" for right in rights.OPERATOR)
    ours = {right for right in rights.OPERATOR if right.group == "pitwall.dev" and "/" not in right.resource}
    assert {right.verb for right in ours} == {"get", "list", "watch"}, "the operator never writes a spec"


def _is_of(role, suffix):
    """What stands outside of namespaces has its release's namespace behind a dot."""
    return role["metadata"]["name"].partition(".")[0].endswith(suffix)


def _given(roles, suffix):
    for role in roles:
        if _is_of(role, suffix):
            for rule in role["rules"]:
                for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]):
                    yield Right(group, resource, verb, *rule.get("resourceNames", ()))


def test_who_installs_in_a_namespace_must_be_able_to_make_whatever_the_chart_makes_there(render):
    makes = {right.resource for right in rights.INSTALLER if right.verb == "create"}
    kinds = {one["kind"].lower() for one in render("namespaced").objects}

    assert {f"{kind}s".replace("ys", "ies") for kind in kinds} <= makes


def test_the_administrators_part_gives_namespaces_admins_what_they_lack_and_nothing_of_the_cluster(render):
    (role,) = [one for one in yaml.safe_load_all(ADMINISTRATOR.read_text()) if one]

    assert role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-admin"] == "true"
    ours = {right for right in rights.INSTALLER if right.group == "pitwall.dev"}
    given = set(_given([role], ""))
    assert ours <= given
    assert {right.group for right in given} <= {right.group for right in rights.INSTALLER}


def test_a_budget_stands_where_there_are_several_pods(render):
    names = lambda case: {one["metadata"]["name"] for one in render(case).all("PodDisruptionBudget")}  # noqa: E731

    assert names("default") == {"pit-pitwall-operator", "pit-pitwall-gateway"}
    assert names("postgres") == {"pit-pitwall-operator", "pit-pitwall-gateway", "pit-pitwall-flags"}


def test_an_autoscaled_gateway_leaves_its_replicas_to_the_autoscaler(render):
    rendered = render("postgres")

    assert "replicas" not in rendered.one("Deployment", "-gateway")["spec"]
    assert (
        rendered.one("HorizontalPodAutoscaler", "-gateway")["spec"]["scaleTargetRef"]["name"] == "pit-pitwall-gateway"
    )


def test_what_a_gateway_saw_counts_for_the_namespace_that_it_serves(render):
    endpoints = render("everything").one("PodMonitor", "-gateway")["spec"]["podMetricsEndpoints"]

    assert endpoints[0]["relabelings"] == [{"targetLabel": "namespace", "replacement": "video-qa"}]


def test_the_rules_and_the_dashboard_are_those_of_the_repository(render):
    rendered = render("everything")
    rules = yaml.safe_load((ROOT / "dashboards" / "rules.yaml").read_text())
    dashboard = json.loads((ROOT / "dashboards" / "pitwall.json").read_text())

    assert rendered.one("PrometheusRule", "pit")["spec"] == rules
    assert json.loads(rendered.one("ConfigMap", "-dashboards")["data"]["pitwall.json"]) == dashboard
    assert rendered.one("ConfigMap", "-dashboards")["metadata"]["labels"]["grafana_dashboard"] == "1"


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
    assert [port["port"] for port in scraping["ports"]] == ["http"]
    assert OURS in asking["from"]
    assert rendered.one("NetworkPolicy", "-runtimes")["metadata"]["namespace"] == "video-qa"


def test_policies_are_there_unless_they_are_switched_off(render):
    names = {one["metadata"]["name"] for one in render("default").all("NetworkPolicy")}

    assert names == {f"pit-pitwall-{component}" for component in ("operator", "flags", "gateway", "runtimes")}
    assert render("default", **{"networkPolicies.enabled": False}).all("NetworkPolicy") == []


def ports(rules):
    return {port["port"] for rule in rules for port in rule.get("ports", ())}


def test_where_each_component_may_go(render):
    rendered = render("everything")
    leaves = {name: policy(rendered, name)["egress"] for name in ("operator", "flags", "gateway", "runtimes")}

    assert ports(leaves["operator"]) == {53, 443, 6443, 8015, 8016, 9090}
    assert ports(leaves["flags"]) == {53, 5432}
    assert ports(leaves["gateway"]) == {53, 443, 6443, 8000, 8015, 8016}
    assert leaves["runtimes"][1:] == [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]
    to_flags = [rule for rule in leaves["gateway"] if {"port": 8015} in rule.get("ports", ())]
    assert [rule["to"] for rule in to_flags] == [[OURS]]


def test_ingest_workers_go_where_runtimes_go_and_only_scrapers_come_to_them(render):
    rendered = render("everything")
    workers = policy(rendered, "ingest")

    assert workers["egress"] == policy(rendered, "runtimes")["egress"]
    (scraping,) = workers["ingress"]
    assert [port["port"] for port in scraping["ports"]] == ["metrics"]
    assert rendered.one("NetworkPolicy", "-ingest")["metadata"]["namespace"] == "video-qa"
    assert policy(render("everything", **{"networkPolicies.scrapers": []}), "ingest").get("ingress", []) == []


@pytest.mark.parametrize(
    ("values", "videos"),
    [
        pytest.param({}, "own", id="callers see their own"),
        pytest.param({"ingest.access": "shared"}, "shared", id="all see all"),
        pytest.param({"ingest.enabled": False}, "off", id="nobody would work on them"),
    ],
)
def test_the_gateway_takes_videos_to_prepare_where_there_are_workers(render, values, videos):
    assert f"--videos={videos}" in render("everything", **values).arguments("gateway")


def test_the_number_of_workers_is_left_to_an_autoscaler_by_saying_none(render):
    assert render("everything").one("Deployment", "-ingest")["spec"]["replicas"] == 3
    assert "replicas" not in render("everything", **{"ingest.replicas": None}).one("Deployment", "-ingest")["spec"]


def test_by_default_runtimes_go_everywhere_but_to_the_nodes_metadata_service(render):
    (rule,) = policy(render("default"), "runtimes")["egress"][1:]

    assert rule["to"][0]["ipBlock"] == {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}


@pytest.mark.parametrize(
    ("values", "failure"),
    [
        ({}, "Fail"),
        ({"operator.replicas": 1}, "Ignore"),
        ({"operator.replicas": 3}, "Fail"),
        ({"webhook.failurePolicy": "Ignore"}, "Ignore"),
        ({"operator.replicas": 1, "webhook.failurePolicy": "Fail"}, "Fail"),
    ],
)
def test_two_operators_or_more_judge_everything_and_a_deletion_never_waits(render, values, failure):
    (found,) = render("default", **values).all("ValidatingWebhookConfiguration")
    policies = {hook["name"]: hook["failurePolicy"] for hook in found["webhooks"]}

    assert policies.pop("used.samplervariants.pitwall.dev") == "Ignore"
    assert policies == {"rollouts.pitwall.dev": failure, "samplervariants.pitwall.dev": failure}


def cluster_wide(helm, release, namespace):
    text = helm("template", release, CHART, "--namespace", namespace)
    objects = [one for one in yaml.safe_load_all(text) if one]
    return {
        (one["kind"], one["metadata"]["name"])
        for one in objects
        if one["kind"].startswith("Cluster") or "Webhook" in one["kind"]
    }


def test_two_releases_share_no_object_of_the_cluster_however_they_are_called(helm):
    """Namespace and name, joined by a hyphen, are the same for these."""
    one, two = cluster_wide(helm, "b-pitwall", "a"), cluster_wide(helm, "pitwall", "a-b")

    assert len(one) == len(two) > 3
    assert one & two == set()


@pytest.mark.parametrize("release", ["a" * 53, "pitwall-" + "b" * 45, "x-" * 25 + "pit"])
def test_a_release_name_as_long_as_helm_allows_leaves_room_in_every_name(helm, release):
    text = helm("template", release, CHART, "--namespace", "n" * 63)
    objects = [one for one in yaml.safe_load_all(text) if one]

    for one in objects:
        limit = (
            253
            if one["kind"] in ("Secret", "ConfigMap") or one["kind"].startswith(("Cluster", "Valid", "Custom"))
            else 63
        )
        assert len(one["metadata"]["name"]) <= limit, one["metadata"]["name"]
        assert all(len(value) <= 63 for value in one["metadata"]["labels"].values())
    (workload,) = [one for one in objects if one["kind"] == "StatefulSet"]
    assert len(workload["metadata"]["name"]) + len("-0123456789") <= 63, "pods bear it with a hash as a label"


def test_long_releases_of_one_namespace_share_no_object(helm):
    def names(release):
        text = helm("template", release, CHART, "--namespace", "race")
        return {
            (one["kind"], one["metadata"]["name"])
            for one in yaml.safe_load_all(text)
            if one and one["kind"] != "CustomResourceDefinition" and one["metadata"]["name"] != "pitwall-flags-tokens"
        }

    assert names("a" * 52 + "b") & names("a" * 52 + "c") == set()


def test_a_release_that_services_cannot_be_called_after_is_refused_with_the_remedy(helm):
    with pytest.raises(Exception, match=r"begins with a digit.*set fullnameOverride"):
        helm("template", "1st", CHART, "--namespace", "race")

    assert "name: first-operator" in helm(
        "template", "1st", CHART, "--namespace", "race", "--set", "fullnameOverride=first"
    )


def test_with_tls_everybody_who_calls_the_flag_service_knows_who_signed_its_certificate(render):
    rendered = render("tls")
    made = rendered.one("Secret", "-flags-tls")["data"]
    pods = rendered.pods()
    known = {
        name: {volume["name"]: volume["secret"] for volume in pod["spec"]["volumes"] if "secret" in volume}
        for name, pod in pods.items()
        if name != "flags"
    }
    (container,) = pods["flags"]["spec"]["containers"]
    probes = [container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]

    assert set(made) == {"ca.crt", "tls.crt", "tls.key"}
    assert {one["flags-authority"]["secretName"] for one in known.values()} == {"pit-pitwall-flags-tls"}
    assert {probe["scheme"] for probe in probes} == {"HTTPS"}
    items = [item["key"] for one in known.values() for item in one["flags-authority"]["items"]]
    assert set(items) == {"ca.crt"}, "the key stays with the service"
    monitor = rendered.one("PodMonitor", "-flags")["spec"]["podMetricsEndpoints"][0]
    assert (monitor["scheme"], monitor["tlsConfig"]["serverName"]) == ("https", "pit-pitwall-flags.race.svc")


def test_cert_manager_makes_the_flag_services_certificate_where_it_is_asked_to(render):
    rendered = render("tls", **{"flags.tls.certManager.enabled": True})

    assert rendered.one("Certificate", "-flags-tls")["spec"]["dnsNames"][0] == "pit-pitwall-flags.race.svc"
    assert [one for one in rendered.all("Secret") if one["metadata"]["name"].endswith("-flags-tls")] == []


def test_a_digest_takes_the_tags_place(render):
    (container,) = render("everything").pods()["operator"]["spec"]["containers"]

    assert container["image"] == "registry.example/team/pitwall-operator@sha256:" + "0123456789abcdef" * 4
