"""What the chart's objects say, for every values file beside this test."""

import json
import os
import re
import subprocess
from pathlib import Path
from unittest import mock

import kubernetes_validate
import pytest
import yaml
from harness import binaries

from pitwall_flags.service import __main__ as flags_service
from pitwall_gateway.serve import settings as gateway_settings
from pitwall_operator.cluster import settings as operator_settings
from pitwall_operator.kube.allowed import NOTHING_ALLOWED, TemplateAllowance
from pitwall_runtime.ingest.__main__ import ingest_options

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "pitwall"
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
    assert ports["flags"] == {"http": flags.http_port, "sync": flags.sync_port, "metrics": flags.metrics_port}
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
    lists = (("/films",), ("reads",), ("hub",), ("shop",), ("weights",), ("team.example/",), ("team",))
    everything = TemplateAllowance(*[True] * 6, *lists)
    assert told.defaults.allowed == everything


def test_variants_may_reach_beyond_their_pods_by_nothing_unless_it_is_said(render):
    with mock.patch.dict(os.environ, {"POD_NAME": "operator-1", "POD_NAMESPACE": "race"}):
        told = operator_settings.read(render("default").arguments("operator"))

    assert told.defaults.allowed == NOTHING_ALLOWED


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


def test_of_a_runtime_so_many_samples_are_taken(render):
    limited = render("everything").one("PodMonitor", "-runtimes")["spec"]
    unlimited = render("everything", **{"monitoring.podMonitors.runtimeSampleLimit": 0}).one("PodMonitor", "-runtimes")

    assert limited["sampleLimit"] == 10_000
    assert "sampleLimit" not in unlimited["spec"]


def test_the_rules_and_the_dashboard_are_those_of_the_repository(render):
    rendered = render("everything")
    rules = yaml.safe_load((ROOT / "dashboards" / "rules.yaml").read_text())
    dashboard = json.loads((ROOT / "dashboards" / "pitwall.json").read_text())

    assert rendered.one("PrometheusRule", "pit")["spec"] == rules
    assert json.loads(rendered.one("ConfigMap", "-dashboards")["data"]["pitwall.json"]) == dashboard
    assert rendered.one("ConfigMap", "-dashboards")["metadata"]["labels"]["grafana_dashboard"] == "1"


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

    assert {policies.pop(f"{one}.pitwall.dev") for one in ("used.samplervariants", "asked.rollouts")} == {"Ignore"}
    assert policies == {"rollouts.pitwall.dev": failure, "samplervariants.pitwall.dev": failure}


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
