"""Tokens: which scope each has, how they are kept, and what the service does without the right one."""

import hashlib
import sys

import grpc
import httpx
import pytest
from harness import forked
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagRejectedError, TokenError
from pitwall_flags.provider.provider import PitwallProvider
from pitwall_flags.service.auth import AccessTokens, TokenScope, token_of

EVALUATE, WRITE, KILL = "evaluate-token-0123456789", "write-token-0123456789", "kill-token-0123456789"
PLAIN = {
    "PITWALL_FLAGS_EVALUATE_TOKEN": EVALUATE,
    "PITWALL_FLAGS_WRITE_TOKEN": WRITE,
    "PITWALL_FLAGS_KILL_TOKEN": KILL,
}
WHO = {"actor": "kim", "reason": "a test"}


def digest(token: str) -> str:
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


@pytest.mark.parametrize("environment", [PLAIN, {name: digest(token) for name, token in PLAIN.items()}])
@pytest.mark.parametrize(
    ("token", "scopes"),
    [
        (EVALUATE, {TokenScope.EVALUATE}),
        (WRITE, {TokenScope.WRITE}),
        (KILL, {TokenScope.KILL}),
        ("", set()),
        (EVALUATE + "x", set()),
    ],
)
def test_each_token_has_its_own_scope(environment, token, scopes):
    assert AccessTokens.from_environment(environment).scopes(token) == scopes


def test_a_digest_is_no_token():
    tokens = AccessTokens.from_environment(PLAIN)
    assert tokens.scopes(digest(WRITE)) == frozenset()


def test_without_tokens_everybody_may_everything():
    assert AccessTokens.from_environment({}).scopes("") == frozenset(TokenScope)


def test_only_digests_are_kept_and_none_is_shown():
    tokens = AccessTokens.from_environment(PLAIN)
    assert set(tokens.digests.values()) == {hashlib.sha256(token.encode()).digest() for token in PLAIN.values()}
    assert repr(tokens) == "AccessTokens()"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({"PITWALL_FLAGS_WRITE_TOKEN": WRITE}, "EVALUATE_TOKEN, .*KILL_TOKEN must be set", id="some"),
        pytest.param({**PLAIN, "PITWALL_FLAGS_KILL_TOKEN": WRITE}, "must differ", id="same"),
        pytest.param({**PLAIN, "PITWALL_FLAGS_KILL_TOKEN": "short"}, "5 characters; use at least 16", id="short"),
        pytest.param({**PLAIN, "PITWALL_FLAGS_KILL_TOKEN": "sha256:xyz"}, "64 lower-case hex", id="digest"),
    ],
)
def test_unsafe_tokens_are_refused_without_being_shown(environment, words):
    with pytest.raises(TokenError, match=words) as refused:
        AccessTokens.from_environment(environment)
    assert not any(token in str(refused.value) for token in environment.values())


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"authorization": "Bearer t"}, "t"),
        ({"authorization": "bearer  t "}, "t"),
        ({"authorization": "Basic t"}, ""),
        ({"authorization": "Basic t", "x-api-key": "k"}, "k"),
        ({"x-api-key": "k"}, "k"),
        ({}, ""),
    ],
)
def test_a_token_comes_as_bearer_or_api_key(headers, token):
    assert token_of(headers) == token


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, service_on):
    folder = tmp_path_factory.mktemp("guarded")
    with (folder / "log").open("w") as log, service_on(folder, environment=PLAIN, log=log) as started:
        yield started, folder / "log"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/ofrep/v1/evaluate/flags/f", {EVALUATE}),
        ("POST", "/ofrep/v1/evaluate/flags", {EVALUATE}),
        ("PUT", "/v1/flags/f", {WRITE}),
        ("DELETE", "/v1/flags/f", {WRITE}),
        ("POST", "/v1/flags/f/kill", {KILL}),
        ("POST", "/v1/flags/f/release", {KILL}),
        ("GET", "/v1/flags", {WRITE, KILL}),
        ("GET", "/v1/flags/f", {WRITE, KILL}),
        ("GET", "/v1/flags/f/history", {WRITE, KILL}),
        ("GET", "/v1/flags/f/diff?from=1&to=1", {WRITE, KILL}),
    ],
)
def test_every_endpoint_wants_its_token(guarded, method, path, allowed):
    service, _ = guarded
    with httpx.Client(base_url=service.url) as http:
        assert http.request(method, path).status_code == 401
        assert http.request(method, path, headers={"X-API-Key": "wrong"}).status_code == 403
        for token in PLAIN.values():
            for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}):
                status = http.request(method, path, headers=headers).status_code
                assert (status in (401, 403)) == (token not in allowed)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_none(guarded, path):
    assert httpx.get(guarded[0].url + path).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("token", ["", *PLAIN.values()])
def test_what_is_counted_by_flag_and_variant_is_shown_on_the_metrics_port_alone(guarded, token):
    service, _ = guarded
    headers = {"X-API-Key": token} if token else {}
    asked = httpx.get(f"{service.url}/metrics", headers=headers)

    assert asked.status_code == 404
    assert "pitwall_flag" not in asked.text
    assert "# TYPE pitwall_flag_evaluations_total counter" in httpx.get(service.metrics).text
    assert httpx.get(service.metrics.replace("/metrics", "/v1/flags")).status_code == 404
    assert httpx.get(service.metrics.replace("/metrics", "/openapi.json")).text.count("/v1/") == 0


@pytest.mark.slow
def test_the_sync_stream_wants_the_evaluate_token(guarded, split, tmp_path, eventually):
    service, _ = guarded
    with grpc.insecure_channel(service.sync) as channel:
        stub = sync_pb2_grpc.FlagSyncServiceStub(channel)
        for metadata in ((), (("authorization", f"Bearer {WRITE}"),)):
            with pytest.raises(grpc.RpcError) as refused:
                stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest(), timeout=60, metadata=metadata)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    provider = PitwallProvider(service.sync, state_path=tmp_path / "flags.json", token=EVALUATE, retry_seconds=0.05)
    provider.initialize(None)
    eventually(lambda: not provider.is_stale)
    provider.shutdown()


@pytest.mark.slow
async def test_no_token_is_ever_logged_or_answered(guarded, split):
    service, log = guarded
    writer = FlagClient(service.url, token=WRITE)
    await writer.put("secretive", split(0), expected_version=None, **WHO)
    with pytest.raises(FlagRejectedError, match="403") as refused:
        await writer.kill("secretive", **WHO)
    await writer.close()
    shown = log.read_text() + str(refused.value)
    async with httpx.AsyncClient(base_url=service.url, headers={"X-API-Key": WRITE}) as http:
        shown += (await http.get(service.metrics)).text + (await http.put("/v1/flags/f", json={"token": WRITE})).text
    assert not any(token in shown for token in PLAIN.values())


def test_an_open_service_is_not_bound_beyond_loopback():
    command = [
        sys.executable,
        "-m",
        "pitwall_flags.service",
        "--host",
        "0.0.0.0",
        "--http-port",
        "0",
        "--sync-port",
        "0",
    ]
    done = forked.run(command)
    assert done.returncode == 2
    assert "must be bound to loopback, not 0.0.0.0" in done.stderr
    assert "Traceback" not in done.stderr
