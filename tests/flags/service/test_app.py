"""The service's HTTP application: every refusal of the admin API and of OFREP, and a database that fails."""

import asyncio
import threading

import pytest
from harness.effort import effort

from pitwall_crds.host.http.places import VOUCH
from pitwall_flags.flag.record import Intent
from pitwall_flags.storage.store import FlagStore

WHY = {"actor": "kim", "reason": "by hand"}
ANN = {"context": {"targetingKey": "ann"}}


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        pytest.param({}, 428, "send If-Match", id="no version at all"),
        pytest.param({"If-Match": '"x"'}, 400, "a version number in quotes", id="a version that is none"),
        pytest.param({"If-Match": "*"}, 400, "a version number in quotes", id="any version"),
        pytest.param({"If-Match": 'W/"7"'}, 412, "the store has version 1", id="a weak tag of another version"),
        pytest.param({"If-Match": '"1", "2"'}, 400, "a version number in quotes", id="several versions"),
        pytest.param({"If-Match": '"9999999999"'}, 400, "a version number in quotes", id="a version too large"),
        pytest.param({"If-None-Match": '"1"'}, 428, "send If-Match", id="not this version"),
        pytest.param({"If-Match": '"1"', "If-None-Match": "*"}, 428, "send If-Match", id="old and new at once"),
        pytest.param({"If-Match": '"7"'}, 412, "the store has version 1", id="a version that never was"),
        pytest.param({"If-None-Match": "*"}, 412, "expected no such flag", id="a flag that is there already"),
    ],
)
async def test_a_write_that_has_not_seen_the_flag_is_refused(desk, split, headers, status, words):
    await desk.put("f", split(0))

    answer = await desk.http.put("/v1/flags/f", json={"document": split(100), **WHY}, headers=headers)

    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.headers.get("etag") == ('"1"' if status == 412 else None)
    assert (await desk.store.get("f")).version == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/v1/flags/never", 404, id="a flag nobody wrote"),
        pytest.param("GET", "/v1/flags/never/history", 404, id="its history"),
        pytest.param("GET", "/v1/flags/f/diff?from=1&to=9", 404, id="a version that never was"),
        pytest.param("GET", "/v1/flags/f/diff?from=0&to=1", 422, id="a version before the first"),
        pytest.param("GET", "/v1/flags/f/history?limit=0", 422, id="a page of nothing"),
        pytest.param("GET", "/v1/flags/f/history?limit=1001", 422, id="a page too long"),
        pytest.param("GET", "/v1/flags?changedAfter=-1", 422, id="before the beginning"),
        pytest.param("GET", "/v1/flags/-f", 422, id="a key that is none"),
        pytest.param("POST", "/v1/flags/never/kill", 404, id="killing what is not there"),
        pytest.param("DELETE", "/v1/flags/f?actor=kim&reason=x", 428, id="deleting unseen"),
        pytest.param("DELETE", "/v1/flags/f?actor=kim", 422, id="deleting without a reason"),
        pytest.param("PATCH", "/v1/flags/f", 405, id="a method that is none"),
        pytest.param("GET", "/v1/nothing", 404, id="a path that is none"),
        pytest.param("GET", "/v1/journal/video/UPPER", 422, id="a record of no rollout"),
    ],
)
async def test_a_request_that_cannot_be_fulfilled_says_why(desk, split, method, path, status):
    await desk.put("f", split(0))

    answer = await desk.http.request(method, path, json=WHY if method == "POST" else None)

    assert answer.status_code == status
    assert answer.json()["error"]


async def test_a_killed_flag_is_neither_deleted_nor_born_again_without_its_kill(desk, split):
    await desk.put("f", split(100))
    await desk.http.post("/v1/flags/f/kill", json=WHY)
    deleted = await desk.http.delete("/v1/flags/f", params=WHY, headers={"If-Match": '"2"'})
    shadow = await desk.put("f.shadow", {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a"})

    assert deleted.status_code == 409
    assert "/release first" in deleted.json()["error"]
    assert shadow.json()["killed"] is True


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        ("evaluate", {"put", "kill", "delete", "read"}),
        ("write", {"kill", "evaluate"}),
        ("kill", {"put", "delete", "evaluate"}),
    ],
)
async def test_a_token_does_what_it_is_for_and_nothing_else(guarded, split, scope, refused):
    headers = {"Authorization": f"Bearer {scope}-token-of-the-tests"}
    asked = {
        "put": ("PUT", "/v1/flags/f", {"document": split(0), **WHY}, {"If-None-Match": "*"}),
        "kill": ("POST", "/v1/flags/never/kill", WHY, {}),
        "delete": ("DELETE", "/v1/flags/never?actor=a&reason=b", None, {"If-Match": '"1"'}),
        "evaluate": ("POST", "/ofrep/v1/evaluate/flags/f", ANN, {}),
        "read": ("GET", "/v1/flags", None, {}),
    }
    found = {
        name
        for name, (method, path, body, more) in asked.items()
        if (await guarded.http.request(method, path, json=body, headers={**headers, **more})).status_code == 403
    }

    assert found == refused


@pytest.mark.parametrize("path", ["/v1/flags", "/v1/journal/a/b", "/v1/flags/f/history"])
async def test_without_a_token_the_way_to_send_one_is_told(guarded, path):
    answer = await guarded.http.get(path)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(b"9" * 6000, "more than 4300 digits; send it as a string", id="digits without end"),
        pytest.param(b"[" * 5_000, "nested too deeply, hundreds of levels; send it flatter", id="depth without end"),
        pytest.param(b'"\xff"', "is not UTF-8", id="another encoding"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/flags/f"),
        ("POST", "/v1/flags/f/kill"),
        ("POST", "/v1/journal/team/sampler"),
        ("POST", "/ofrep/v1/evaluate/flags"),
        ("POST", "/ofrep/v1/evaluate/flags/f"),
    ],
)
async def test_json_that_cannot_be_read_is_told_with_limit_and_remedy(desk, method, path, value, words):
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    answer = await desk.http.request(method, path, content=b'{"document": ' + value + b"}", headers=headers)

    assert answer.status_code == 400
    assert words in answer.text
    assert "sys." not in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/flags/f"), ("POST", "/v1/flags/f/kill"), ("POST", "/v1/journal/team/sampler")]
)
async def test_of_fields_without_end_none_is_described(desk, method, path):
    unknown = {f"{number:x}": 0 for number in range(13_000)}
    with effort() as spent:
        answer = await desk.http.request(method, path, json=unknown, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["error"]) == (
        422, "body: there are 13000 fields; leave out what is not needed",
    )  # fmt: skip
    assert spent.megabytes < 5


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "PARSE_ERROR", id="nothing"),
        pytest.param(b'{"context": {"targetingKey": NaN}}', "PARSE_ERROR", id="a number that JSON does not have"),
        pytest.param(b"[" * 60_000, "PARSE_ERROR", id="nested without end"),
        pytest.param(b"[0" + b",[]" * 40_000 + b"]", "PARSE_ERROR", id="lists without end"),
        pytest.param(b"[]", "PARSE_ERROR", id="a list"),
        pytest.param(b"{}", "INVALID_CONTEXT", id="no context"),
        pytest.param(b'{"context": []}', "INVALID_CONTEXT", id="a context that is a list"),
        pytest.param(b'{"context": {}}', "TARGETING_KEY_MISSING", id="nobody"),
        pytest.param(b'{"context": {"targetingKey": ""}}', "TARGETING_KEY_MISSING", id="an empty key"),
        pytest.param(b'{"context": {"targetingKey": 7}}', "INVALID_CONTEXT", id="a key that is a number"),
    ],
)
@pytest.mark.parametrize("path", ["/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/f"], ids=["all", "one"])
async def test_an_evaluation_for_nobody_is_refused_with_its_code(desk, split, path, body, code):
    await desk.put("f", split(0))

    answer = await desk.http.post(path, content=body)

    assert answer.status_code == 400
    assert answer.json()["errorCode"] == code


async def test_a_tag_is_of_the_result_and_one_of_several_is_enough(desk, split):
    await desk.put("f", split(0))
    path = "/ofrep/v1/evaluate/flags"
    tag = (await desk.http.post(path, json=ANN)).headers["etag"]

    same = await desk.http.post(path, json=ANN, headers={"If-None-Match": f'"other", {tag}'})
    stale = await desk.http.post(path, json=ANN, headers={"If-None-Match": '"other"'})
    await desk.put("f", split(10_000), 1)
    changed = await desk.http.post(path, json=ANN, headers={"If-None-Match": tag})

    assert (same.status_code, same.content) == (304, b"")
    assert (stale.status_code, changed.status_code) == (200, 200)


@pytest.mark.parametrize("etag", ["", "-1", "x", "9" * 30, "²", "1"])
async def test_a_revision_that_a_client_claims_to_know_never_breaks_the_answer(desk, split, etag):
    await desk.put("f", split(0))

    answer = await desk.http.post("/ofrep/v1/evaluate/flags", params={"flagConfigEtag": etag}, json=ANN)

    assert [flag["key"] for flag in answer.json()["flags"]] == ["f"]


async def test_a_revision_that_another_replica_made_is_read_before_the_answer(desk, split, tmp_path):
    """The event came from the other replica's stream; this one has not looked yet."""
    await desk.put("f", split(0))
    from_the_other = await FlagStore.open(f"sqlite+aiosqlite:///{tmp_path}/flags.db")
    await from_the_other.delete("f", expected_version=1, intent=Intent("kim", "by hand"))
    await from_the_other.close()

    before = await desk.http.post("/ofrep/v1/evaluate/flags", json=ANN)
    after = await desk.http.post("/ofrep/v1/evaluate/flags", params={"flagConfigEtag": "2"}, json=ANN)

    assert [len(answer.json()["flags"]) for answer in (before, after)] == [1, 0]


async def test_a_database_that_fails_stops_writes_in_words_and_no_evaluation(desk, split, tmp_path):
    await desk.put("f", split(0))
    await desk.store.close()
    for file in tmp_path.glob("flags.db*"):
        file.unlink()
    (tmp_path / "flags.db").mkdir()

    written = await desk.put("f", split(100), 1)
    asked = await desk.http.post("/ofrep/v1/evaluate/flags/f", json=ANN)

    assert (written.status_code, written.headers["retry-after"]) == (503, "1")
    assert "evaluation goes on" in written.json()["error"]
    assert (asked.status_code, asked.json()["value"]) == (200, "uniform-v1")
    await asyncio.to_thread(end_of_connections)


def end_of_connections() -> None:
    """A connection that could not be opened still tells its loop so, from a thread of its own."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(30)
            assert not thread.is_alive()


async def test_a_service_is_ready_only_when_it_has_read_its_flags(desk):
    fresh = desk.beside()
    before = await fresh.http.get("/readyz")
    await fresh.publisher.refresh()
    after = await fresh.http.get("/readyz")
    await fresh.http.aclose()

    assert (before.status_code, after.status_code) == (503, 200)


async def test_a_body_is_bounded_whatever_its_length_claims(desk):
    async def parts():
        for _ in range(200):
            yield b"x" * 1_000

    answer = await desk.http.put("/v1/flags/f", content=parts(), headers={"content-length": "2"})

    assert answer.status_code == 413


async def test_no_refusal_repeats_what_was_sent(desk):
    """A caller may have put a secret there."""
    sent = {"document": {}, "actor": "kim", "reason": "x", "token": "hunter2"}

    answer = await desk.http.put("/v1/flags/f", json=sent, headers={"If-None-Match": "*"})

    assert answer.status_code == 422
    assert "hunter2" not in answer.text
    assert "token" in answer.json()["error"]


async def test_a_tag_that_a_compressing_proxy_made_weak_still_stands_for_its_version(desk, split):
    await desk.put("f", split(0))
    answer = await desk.http.put("/v1/flags/f", json={"document": split(100), **WHY}, headers={"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')

    first = await desk.http.post("/ofrep/v1/evaluate/flags", json=ANN)
    weak = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
    assert (await desk.http.post("/ofrep/v1/evaluate/flags", json=ANN, headers=weak)).status_code == 304


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/flags"), ("POST", "/ofrep/v1/evaluate/flags/a"), ("POST", "/v1/flags/a/kill")]
)
@pytest.mark.parametrize("known", [True, False])
async def test_the_server_is_told_whose_connection_has_shown_a_good_token(guarded, method, path, known):
    """It keeps that one when strangers' fill all places."""
    heard = []
    scope_of = {"/v1/flags": "write", "/v1/flags/a/kill": "kill"}
    token = f"{scope_of.get(path, 'evaluate')}-token-of-the-tests" if known else "another-token-of-the-tests"
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"host", b"flags")]
    scope = {"type": "http", "http_version": "1.1", "method": method, "path": path, "query_string": b""}

    async def nothing(*_):
        return {"type": "http.request", "body": b"{}"}

    await guarded.app({**scope, "headers": headers, "extensions": {VOUCH: heard.append}}, nothing, nothing)

    assert bool(heard) is known
