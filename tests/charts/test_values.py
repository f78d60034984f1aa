"""What a person may say to the chart, and how it refuses."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pitwall_gateway.pools.recent import BODIES

CHART = Path(__file__).parents[2] / "charts" / "pitwall"
pytestmark = pytest.mark.slow
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
FREE = {
    "resources",
    "affinity",
    "nodeSelector",
    "annotations",
    "labels",
    "mediaVolume",
    "cacheVolume",
    "volumesIn",
    "issuerRef",
}


def leaves(values, path=()):
    """The paths of all values; objects of free content count as one."""
    for name, value in values.items():
        if isinstance(value, dict) and name not in FREE:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name)


def nodes(schema, path=()):
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, (*path, name))


def test_every_value_is_described_and_every_described_value_has_a_default():
    described = dict(nodes(SCHEMA))
    missing = [".".join(path) for path, node in described.items() if path and not node.get("description")]
    optional = {("global",), *(path for path in described if path[:-1] and path[-2] in FREE)}
    without_default = set()
    for path in described:
        known = VALUES
        for name in path:
            known = known.get(name, ...) if isinstance(known, dict) else ...
        if known is ... and path not in optional:
            without_default.add(path)

    assert missing == []
    assert without_default == set()


def test_no_object_takes_unknown_values():
    open_objects = [
        ".".join(path)
        for path, node in nodes(SCHEMA)
        if "properties" in node and node.get("additionalProperties") is not False
    ]
    assert open_objects == []


def another(path, value):
    """A valid value that is not this one."""
    node = SCHEMA
    for name in path:
        node = node.get("properties", {}).get(name, {})
    samples = {
        "digest": "sha256:" + "b" * 64, "keys": "https://elsewhere/keys", "size": "7Gi", "interval": "7s", "url": "https://elsewhere",
        "cacheSize": "7Gi", "mediaRoots": ["/x"], "issuerRef": {"name": "x"},
        "gateways": 'job="g"', "volumesIn": {"search": {"cacheVolume": {"emptyDir": {}}}},
        "variants": {"aks-v1": {"sampler": {"name": "aks"}}},
        "pullSecrets": [{"name": "x"}], "tolerations": [{"key": "x"}], "clients": [{"podSelector": {}}],
        "prefixes": {"other": ["x."]}, "corsOrigins": ["https://app.example"], "apiServerPorts": [{"port": 8443}],
        "scrapers": [{"podSelector": {}}], "apiServers": [{"podSelector": {}}], "operators": [{"podSelector": {}}],
        "affinity": {"podAffinity": {}},
    }  # fmt: skip
    if "enum" in node:
        return next(choice for choice in node["enum"] if choice != value)
    if path[:2] == ("networkPolicies", "egress"):
        return [{"ports": [{"port": 99}]}]
    if path[-1] in samples:
        return samples[path[-1]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1 if value + 1 <= node.get("maximum", value + 1) else value / 2
    return {str: "other", list: ["other"], dict: {"other": "7"}}[type(value)]


@pytest.fixture(scope="module")
def rendering(render):
    """The part of a rendering that is the same every time."""
    known = {}

    def text(**changes):
        key = json.dumps(changes, sort_keys=True)
        if key not in known:
            rendered = render(**changes).text
            known[key] = re.sub(r"((caBundle|[a-z.]+): [A-Za-z0-9+/=]{40,}|callers.json: .*)", "", rendered)
        return known[key]

    return text


WHERE_READ = {
    "flags.external": {"flags.enabled": False, "flags.external.host": "flags"},
    "flags.enabled": {"flags.external.host": "flags"},
    "webhook.existingSecret": {"webhook.caBundle": "eHg="},
    "webhook.caBundle": {"webhook.existingSecret": "x", "webhook.caBundle": "eHg="},
    "webhook.certManager.issuerRef": {"webhook.certManager.enabled": True},
    "gateway.autoscaling": {"gateway.autoscaling.enabled": True, "gateway.autoscaling.maxReplicas": 50},
    "gateway.tokens": {
        "gateway.tokens.keys": "https://idp/keys", "gateway.tokens.issuer": "x", "gateway.tokens.audience": "x",
    },
    "monitoring.podMonitors": {"monitoring.podMonitors.enabled": True},
    "monitoring.rules": {"monitoring.rules.enabled": True},
    "monitoring.dashboards": {"monitoring.dashboards.enabled": True},
    "flags.tls.certManager.issuerRef": {"flags.tls.enabled": True, "flags.tls.certManager.enabled": True},
    "flags.tls": {"flags.tls.enabled": True},
    "gateway.flagsToken.key": {"gateway.flagsToken.existingSecret": "x"},
    "flags.sets.key": {"flags.sets.existingSecret": "x"},
    "prometheus.tokenSecret.key": {"prometheus.tokenSecret.name": "x"},
    "flags.database.postgresql.key": {"flags.database.postgresql.existingSecret": "x"},
    "flags.replicas": {"flags.database.postgresql.existingSecret": "x"},
    "ingest": {"ingest.enabled": True, "ingest.queueUrl": "redis://queue/0"},
    "runtime.mediaVolume": {"runtime.mediaRoots": ["/media"]},
}  # fmt: skip
"""What must be said besides, for a value to matter; everything below a path is meant."""


NAMES = [".".join(path) for path in leaves(VALUES)]
TEMPLATES = "".join(path.read_text() for path in sorted((CHART / "templates").rglob("*")) if path.is_file())


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_named_by_a_template(name):
    assert re.search(rf"\b{re.escape(name.rpartition('.')[2])}\b", TEMPLATES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if number % 8 == 0 else pytest.mark.soak) for number, name in enumerate(NAMES)]
)
def test_every_value_changes_what_is_rendered(rendering, name):
    path = tuple(name.split("."))
    value = VALUES
    for part in path:
        value = value[part]
    needed = next((more for where, more in WHERE_READ.items() if (name + ".").startswith(where + ".")), {})
    base = {"crds.install": False, **needed}  # without the CRDs, which take longest
    before, after = rendering(**base), rendering(**{**base, name: another(path, base.get(name, value))})

    assert before != after


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"gateway.autoscalng": {}}, "'autoscalng' not allowed", id="a-misspelt-name"),
        pytest.param({"image.pullPolicy": "Sometimes"}, "/image/pullPolicy.*'Always'", id="a-word-that-is-no-choice"),
        pytest.param({"operator.replicas": 0}, "/operator/replicas.*minimum", id="nobody-would-act"),
        pytest.param({"gateway.flag": "a flag"}, "/gateway/flag.*pattern", id="no-flag"),
        pytest.param({"gateway.flag": "x" * 129}, "/gateway/flag.*maxLength", id="a-flag-too-long"),
        pytest.param({"gateway.flag": "sampler.variant.shadow"}, "/gateway/flag.*not", id="a-flag-of-copies"),
        pytest.param({"gateway.namespace": "Video_QA"}, "/gateway/namespace.*pattern", id="no-namespace"),
        pytest.param({"prometheus.gateways": "pod"}, "/prometheus/gateways.*pattern", id="labels-of-nobody"),
        pytest.param({"prometheus.url": "prometheus:9090"}, "/prometheus/url.*pattern", id="an-address-without-http"),
        pytest.param({"runtime.volumesIn": {"search": {}}}, "/runtime/volumesIn/search", id="volumes-that-are-none"),
        pytest.param({"flags.requestsPerSecond": "many"}, "/flags/requestsPerSecond.*number", id="text-for-a-number"),
        pytest.param({"operator.image.digest": "sha256:12"}, "/operator/image/digest", id="half-a-digest"),
        pytest.param({"gateway.warmQuestions": BODIES + 1}, "/gateway/warmQuestions.*maximum", id="too-many"),
        pytest.param({"watch.namespaces": [""]}, "/watch/namespaces/0", id="a-namespace-without-a-name"),
        pytest.param(
            {"flags.replicas": 2}, "SQLite serves one replica; set flags.database.postgresql.existingSecret",
            id="two-replicas-on-sqlite",
        ),
        pytest.param(
            {"flags.enabled": False}, "set flags.external.host to the flag service", id="no-flag-service-at-all"
        ),
        pytest.param(
            {"gateway.autoscaling.enabled": True, "gateway.autoscaling.minReplicas": 20}, "must not exceed",
            id="more-at-least-than-at-most",
        ),
        pytest.param({"webhook.existingSecret": "x"}, "needs webhook.caBundle", id="a-certificate-nobody-can-check"),
        pytest.param(
            {"webhook.existingSecret": "x", "webhook.certManager.enabled": True}, "exclude each other",
            id="two-sources-of-a-certificate",
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_words(render, changes, words):
    with pytest.raises(Exception, match=re.compile(words, re.DOTALL)):
        render(**changes)
