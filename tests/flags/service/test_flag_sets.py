"""Flag sets: whose token it is says which flags it is for, on every way to the service."""

import hashlib
import json

import grpc
import httpx
import pytest
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from pitwall_flags.errors import TokenError
from pitwall_flags.service.auth import ALL_FLAGS, AccessTokens, TokenScope, covers

TOKENS = {f"PITWALL_FLAGS_{scope.upper()}_TOKEN": f"whole-{scope}-0123456789" for scope in TokenScope}
SEARCH = {scope: f"search-{scope}-0123456789" for scope in TokenScope}
GATEWAY = "gateway-evaluate-0123456789"
WHO = {"actor": "kim", "reason": "a test"}
KEYS = (
    "search.variant",
    "search.variant.shadow",
    "searchlight",
    "sampler.variant",
    "sampler.variant.shadow",
    "sampler.other",
    "sampler.variant.of.others",
)


def digest(token: str) -> str:
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


SETS = {
    "search": {"flags": ["search."], **{scope: digest(token) for scope, token in SEARCH.items()}},
    "gateway": {"flags": ["sampler.variant"], "evaluate": GATEWAY},
}


@pytest.fixture
def sets(tmp_path):
    def write(content):
        path = tmp_path / "sets.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.mark.parametrize(
    ("root", "covered"),
    [
        ("", KEYS),
        ("search.", ("search.variant", "search.variant.shadow")),
        ("search", ()),
        ("sampler.variant", ("sampler.variant", "sampler.variant.shadow")),
        ("sampler.other", ("sampler.other",)),
        ("sampler.var", ()),
    ],
)
def test_a_root_covers_a_key_and_what_belongs_to_it_and_nothing_that_merely_begins_alike(root, covered):
    assert tuple(key for key in KEYS if covers(frozenset({root}), key)) == covered


def test_each_token_is_for_its_own_flags_and_scopes(sets):
    tokens = AccessTokens.from_environment(TOKENS, [sets(SETS)])

    assert tokens.roots("whole-write-0123456789", (TokenScope.WRITE,)) == ALL_FLAGS
    assert tokens.roots("whole-write-0123456789", (TokenScope.EVALUATE,)) == frozenset()
    assert tokens.roots(SEARCH[TokenScope.WRITE], tuple(TokenScope)) == {"search."}
    assert tokens.roots(GATEWAY, (TokenScope.EVALUATE,)) == {"sampler.variant"}
    assert tokens.roots(GATEWAY, (TokenScope.WRITE, TokenScope.KILL)) == frozenset()
    assert tokens.roots("nobody", tuple(TokenScope)) == frozenset()
    assert tokens.scopes(SEARCH[TokenScope.KILL]) == {TokenScope.KILL}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("{", "cannot be read", id="half JSON"),
        pytest.param("[" * 100_000, "cannot be read", id="JSON without an end"),
        pytest.param([], "must hold an object", id="a list"),
        pytest.param({"a": {"flags": ["a."], "write": "short"}}, "5 characters; use at least 16", id="a short token"),
        pytest.param({"a": {"flags": [], "write": "w" * 20}}, "must list keys", id="no flags"),
        pytest.param({"a": {"flags": "a.", "write": "w" * 20}}, "must list keys", id="flags as text"),
        pytest.param({"a": {"flags": ["a b"], "write": "w" * 20}}, "'a b' is no flag key", id="no key"),
        pytest.param({"a": {"flags": [""], "write": "w" * 20}}, "'' is no flag key", id="every flag"),
        pytest.param({"a": {"flags": ["a."]}}, "has no token", id="no token"),
        pytest.param({"a": {"flags": ["a."], "write": 7}}, "has no token", id="a number as token"),
        pytest.param({"a": {"flags": ["a."], "admin": "w" * 20}}, "must hold flags and any of", id="an unknown scope"),
        pytest.param(
            {"a": {"flags": ["a."], "write": "w" * 20}, "b": {"flags": ["a.b"], "write": "v" * 20}},
            "both write 'a.b'|may both write 'a.b'", id="two that may write one flag",
        ),
        pytest.param({"a": {"flags": ["a."], "write": "whole-write-0123456789"}}, "must differ", id="a token twice"),
    ],
)  # fmt: skip
def test_sets_that_cannot_be_told_apart_or_read_are_refused_in_words(sets, content, words):
    with pytest.raises(TokenError, match=words):
        AccessTokens.from_environment(TOKENS, [sets(content)])


def test_two_files_may_not_hold_a_set_of_one_name(sets, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"gateway": {"flags": ["b"], "evaluate": "e" * 20}}))
    first = sets({"gateway": {"flags": ["a"], "evaluate": "f" * 20}})
    with pytest.raises(TokenError, match="another file has a flag set 'gateway' too"):
        AccessTokens.from_environment(TOKENS, [first, other])


def test_sets_without_tokens_for_everything_are_refused(sets):
    with pytest.raises(TokenError, match="must be set too"):
        AccessTokens.from_environment({}, [sets(SETS)])


@pytest.fixture(scope="module")
def divided(tmp_path_factory, service_on):
    folder = tmp_path_factory.mktemp("divided")
    (folder / "sets.json").write_text(json.dumps(SETS))
    options = ("--requests-per-second", "0", "--flag-sets", str(folder / "sets.json"))
    with service_on(folder, environment=TOKENS, options=options) as started:
        document = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
        for key in KEYS:
            answer = call(started, "PUT", f"/v1/flags/{key}", "whole-write-0123456789", document)
            assert answer.status_code == 201
        yield started


def call(service, method, path, token, document=None, headers=()):
    body = {**WHO, "document": document} if document else WHO
    seen = {"If-None-Match": "*"} if document else {}
    headers = {"Authorization": f"Bearer {token}", **seen, **dict(headers)}
    return httpx.request(method, f"{service.url}{path}", json=body if method != "GET" else None, headers=headers)


def evaluate(service, token, key=""):
    body, headers = {"context": {"targetingKey": "u"}}, {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{service.url}/ofrep/v1/evaluate/flags{'/' + key if key else ''}", json=body, headers=headers)


@pytest.mark.slow
def test_evaluation_shows_a_set_its_own_flags_alone(divided):
    seen = {flag["key"] for flag in evaluate(divided, GATEWAY).json()["flags"]}

    assert seen == {"sampler.variant", "sampler.variant.shadow"}
    assert evaluate(divided, GATEWAY, "sampler.variant").status_code == 200
    assert evaluate(divided, GATEWAY, "sampler.other").status_code == 403
    assert evaluate(divided, GATEWAY, "never-made").status_code == 403, "nor does it tell which flags there are"
    assert len(evaluate(divided, "whole-evaluate-0123456789").json()["flags"]) == len(KEYS)


@pytest.mark.slow
def test_the_admin_api_lets_a_set_see_and_write_its_own_flags_alone(divided):
    write, kill = SEARCH[TokenScope.WRITE], SEARCH[TokenScope.KILL]
    listed = call(divided, "GET", "/v1/flags", write).json()
    changed = call(divided, "GET", "/v1/flags?changedAfter=0", kill).json()

    assert {flag["key"] for flag in listed["flags"]} == {"search.variant", "search.variant.shadow"}
    assert {flag["key"] for flag in changed["flags"]} == {"search.variant", "search.variant.shadow"}
    document = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    assert call(divided, "PUT", "/v1/flags/search.new", write, document).status_code == 201
    for method, path, token in [
        ("PUT", "/v1/flags/sampler.variant", write), ("PUT", "/v1/flags/searchlight", write),
        ("GET", "/v1/flags/sampler.variant", write), ("GET", "/v1/flags/sampler.variant/history", kill),
        ("POST", "/v1/flags/sampler.variant/kill", kill), ("GET", "/v1/journal/shop/sampler", kill),
        ("POST", "/v1/journal/shop/sampler", write),
    ]:  # fmt: skip
        answer = call(divided, method, path, token, document if method == "PUT" else None, {"Idempotency-Key": "k"})
        assert answer.status_code == 403, (method, path)
        assert "this token is for 'search.' alone" in answer.json()["error"]


@pytest.mark.slow
def test_a_sets_writer_cannot_say_whose_rollout_moves_a_flag(divided):
    write, key = SEARCH[TokenScope.WRITE], "/v1/flags/search.owned"
    plain = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    marked = {**plain, "metadata": {"pitwallRollout": "victim/vq"}}

    def put(token, document, version=0):
        body = {**WHO, "document": document}
        seen = {"If-Match": f'"{version}"'} if version else {"If-None-Match": "*"}
        headers = {"Authorization": f"Bearer {token}", **seen}
        return httpx.put(f"{divided.url}{key}", json=body, headers=headers)

    refused = put(write, marked)
    assert refused.status_code == 403
    assert "only the service's own write token may set it" in refused.json()["error"]
    assert put("whole-write-0123456789", marked).status_code == 201
    assert put(write, {**marked, "defaultVariant": None}, 1).status_code == 200, "what it says already"
    assert put(write, {**plain, "metadata": {"pitwallRollout": "victim/other"}}, 2).status_code == 403
    assert put(write, {**plain, "metadata": {"pitwallRollout": 7}}, 2).status_code == 403
    assert put(write, plain, 2).status_code == 200
    assert put(write, marked, 3).status_code == 403, "it does not say so any more"
    seen = {"If-Match": '"3"'}.items()
    assert call(divided, "DELETE", f"{key}?actor=kim&reason=tidy", write, headers=seen).status_code == 200


@pytest.mark.slow
def test_a_kill_stops_a_flag_and_its_copies_and_no_flag_that_begins_alike(divided):
    call(divided, "POST", "/v1/flags/sampler.variant/kill", "whole-kill-0123456789")
    killed = {
        one["key"]
        for one in call(divided, "GET", "/v1/flags", "whole-kill-0123456789").json()["flags"]
        if one["killed"]
    }

    assert killed == {"sampler.variant", "sampler.variant.shadow"}


@pytest.mark.slow
def test_sync_sends_a_set_its_own_flags_alone(divided):
    with grpc.insecure_channel(divided.sync) as channel:
        stub = sync_pb2_grpc.FlagSyncServiceStub(channel)

        def fetch(token, **request):
            metadata = [("authorization", f"Bearer {token}")]
            answer = stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest(**request), metadata=metadata, timeout=30)
            return set(json.loads(answer.flag_configuration)["flags"])

        assert fetch(GATEWAY) == {"sampler.variant", "sampler.variant.shadow"}
        assert fetch(GATEWAY, selector="prefix=search.") == set()
        assert fetch("whole-evaluate-0123456789") >= set(KEYS)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["SyncFlags", "FetchAllFlags", "GetMetadata"])
@pytest.mark.parametrize("request_bytes", [b"", b"\xff" * 32], ids=["a request", "what is no message"])
def test_who_has_no_token_learns_nothing_of_what_it_sent(divided, method, request_bytes):
    with grpc.insecure_channel(divided.sync) as channel:
        call = channel.unary_stream(f"/flagd.sync.v1.FlagSyncService/{method}")
        with pytest.raises(grpc.RpcError) as refused:
            list(call(request_bytes, metadata=[("authorization", "Bearer wrong-token")], timeout=30))

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused.value.details().startswith("send the evaluate token")
