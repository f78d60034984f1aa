"""What keeps keys and tokens where they belong."""

import base64
import hashlib
import json
import os
from unittest import mock

import pytest

from pitwall_flags.service import __main__ as flags_service
from pitwall_flags.service.auth import AccessTokens, TokenScope
from pitwall_gateway.serve import settings as gateway_settings
from pitwall_operator.cluster import settings as operator_settings

pytestmark = pytest.mark.slow


def test_keys_are_where_no_runtime_may_be_and_prefixes_are_bound(render):
    with mock.patch.dict(os.environ, {"POD_NAME": "operator-1", "POD_NAMESPACE": "race"}):
        apart, together = (
            operator_settings.read(render(case).arguments("operator")) for case in ("everything", "default")
        )

    assert apart.known.keys_in == "race"
    assert together.known.keys_in == "", "one namespace holds all"
    assert apart.known.prefixes.by_namespace == {"video-qa": ("sampler.", "video.")}
    assert together.known.prefixes.by_namespace == {}
    assert together.known.prefixes.most == 500
    assert flags_service.read_settings(render("everything").arguments("flags")).flag_sets[-1].name == "sets.json"


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


def test_what_a_flag_service_counted_is_shown_to_those_who_scrape_alone(render):
    rendered = render("everything")
    (container,) = rendered.pods()["flags"]["spec"]["containers"]

    assert "metrics" not in [port["name"] for port in rendered.one("Service", "-flags")["spec"]["ports"]]
    assert rendered.one("PodMonitor", "-flags")["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    assert {"name": "metrics", "containerPort": 9090} in container["ports"]
    assert "--metrics-port=9090" in container["args"]


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


def named_secrets(rendered):
    """The Secrets that a release makes, and those that its pods read."""

    def within(value):
        if isinstance(value, list):
            return {name for one in value for name in within(one)}
        if not isinstance(value, dict):
            return set()
        own = {value.get("secretName"), (value.get("secretKeyRef") or {}).get("name")} - {None}
        return own | {name for one in value.values() for name in within(one)}

    made = {one["metadata"]["name"] for one in rendered.all("Secret")}
    return made | {name for pod in rendered.pods().values() for name in within(pod)}


@pytest.mark.parametrize("case", ["default", "everything", "postgres", "tls"])
def test_no_secret_of_the_release_can_be_allowed_to_variants(render, case):
    names = named_secrets(render(case, **{"crds.install": False}))

    assert len(names) > 2
    for name in sorted(names):
        with pytest.raises(Exception, match=f"runtime.allow.secrets names {name}, which holds Pitwall's own keys"):
            render(case, **{"crds.install": False, "runtime.allow.secrets": [name]})


@pytest.mark.parametrize(
    ("allowed", "words"),
    [
        pytest.param({"claims": ["data-pit-pitwall-flags-0"]}, "the flag service's database", id="the database"),
        pytest.param({"serviceAccounts": ["pit-pitwall-operator"]}, "own account", id="the operator's account"),
        pytest.param({"serviceAccounts": ["pit-pitwall-gateway"]}, "own account", id="the gateway's account"),
    ],
)
def test_neither_the_flags_database_nor_an_account_of_the_release_can_be_allowed_to_variants(render, allowed, words):
    database = {f"data-{one['metadata']['name']}-0" for one in render("default").all("StatefulSet")}
    assert set(allowed.get("claims", ())) <= database

    with pytest.raises(Exception, match=words):
        render(**{f"runtime.allow.{name}": value for name, value in allowed.items()})
