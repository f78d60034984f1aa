"""The service's HTTP application: every refusal of the admin API and of OFREP, and a database that fails."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pitwall_flags.flag.record import Intent
from pitwall_flags.service.app import build_app
from pitwall_flags.service.auth import AccessTokens, TokenScope
from pitwall_flags.service.publish import Publisher
from pitwall_flags.storage.store import FlagStore

TOKENS = AccessTokens.from_environment(
    {f"PITWALL_FLAGS_{scope.upper()}_TOKEN": f"{scope}-token-of-the-tests" for scope in TokenScope}
)
WHY = {"actor": "kim", "reason": "by hand"}
ANN = {"context": {"targetingKey": "ann"}}


class FlagsDesk:
    """The application over a database of its own, and a client of it."""

    def __init__(self, store: FlagStore, tokens: AccessTokens, origins: tuple[str, ...] = ()) -> None:
        self.store = store
        self.publisher = Publisher(store, "tests")
        self.app = build_app(store, self.publisher, tokens, cors_origins=origins)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://flags")

    async def put(self, key: str, document: Any, version: int | None = None, **headers: str) -> httpx.Response:
        seen = {"If-None-Match": "*"} if version is None else {"If-Match": f'"{version}"'}
        return await self.http.put(f"/v1/flags/{key}", json={"document": document, **WHY}, headers={**seen, **headers})


async def opened(folder: Path, tokens: AccessTokens) -> AsyncIterator[FlagsDesk]:
    store = await FlagStore.open(f"sqlite+aiosqlite:///{folder}/flags.db")
    desk = FlagsDesk(store, tokens)
    await desk.publisher.refresh()
    yield desk
    await desk.http.aclose()
    await store.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[FlagsDesk]:
    async for desk in opened(tmp_path, AccessTokens()):
        yield desk


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[FlagsDesk]:
    async for desk in opened(tmp_path, TOKENS):
        yield desk


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


async def test_a_request_that_is_repeated_after_its_flag_is_gone_is_a_conflict_and_makes_nothing(desk, split):
    once = {"Idempotency-Key": "request-1"}
    await desk.put("f", split(0), **once)
    await desk.http.delete("/v1/flags/f", params=WHY, headers={"If-Match": '"1"'})

    again = await desk.put("f", split(0), **once)

    assert again.status_code == 412
    assert await desk.store.get("f") is None
    assert await desk.store.revision() == 2, "the number that the repeated request took is given back"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("PUT", "/v1/flags/f", {"document": 3, **WHY}, id="another document"),
        pytest.param("PUT", "/v1/flags/f", {"document": 0, "actor": "ann", "reason": "by hand"}, id="another writer"),
        pytest.param("PUT", "/v1/flags/f", {"document": 0, "actor": "kim", "reason": "no"}, id="another reason"),
        pytest.param("POST", "/v1/flags/f/kill", WHY, id="a kill"),
        pytest.param("POST", "/v1/flags/f/release", WHY, id="a release"),
        pytest.param("DELETE", "/v1/flags/f?actor=kim&reason=by+hand", None, id="a deletion"),
    ],
)
@pytest.mark.parametrize("later", ["at once", "after a kill", "after another write"])
async def test_another_request_under_a_used_key_is_refused_not_lost(desk, split, method, path, body, later):
    once = {"Idempotency-Key": "request-1", "If-Match": '"1"'}
    await desk.put("f", split(0), **{"Idempotency-Key": "request-1"})
    if later == "after a kill":
        await desk.http.post("/v1/flags/f/kill", json=WHY)
    if later == "after another write":
        await desk.put("f", split(7), 1)
    revision = await desk.store.revision()
    if body and "document" in body:
        body = {**body, "document": split(body["document"])}

    other = await desk.http.request(method, path, json=body, headers=once)

    assert other.status_code == 422
    assert "'request-1' was used for another request" in other.json()["error"]
    assert await desk.store.revision() == revision, "nothing was applied, nor a number taken"
    assert (await desk.put("f", split(0), **{"Idempotency-Key": "request-1"})).status_code == 201, "the same again"


async def test_what_was_written_to_a_killed_flag_is_told_from_another_request(desk, split):
    once = {"Idempotency-Key": "request-1"}
    await desk.put("f", split(0))
    await desk.http.post("/v1/flags/f/kill", json=WHY)
    await desk.put("f", split(5), 2, **once)

    assert (await desk.put("f", split(5), 2, **once)).json()["version"] == 3
    assert (await desk.put("f", split(6), 2, **once)).status_code == 422


@pytest.mark.parametrize("method", ["PUT", "kill"])
async def test_a_kill_under_a_key_that_was_used_for_one_of_its_copies_is_refused(desk, split, method):
    once = {"Idempotency-Key": "request-1"}
    await desk.put("f", split(0))
    await desk.put("f.shadow", split(0), **(once if method == "PUT" else {}))
    if method == "kill":
        await desk.http.post("/v1/flags/f.shadow/kill", json=WHY, headers=once)

    refused = await desk.http.post("/v1/flags/f/kill", json=WHY, headers=once)

    assert refused.status_code == 422
    assert not (await desk.store.get("f")).killed


async def test_other_lines_of_a_record_under_a_used_key_are_refused_not_lost(desk):
    async def append(*lines: dict[str, Any]) -> httpx.Response:
        body, once = {"lines": lines}, {"Idempotency-Key": "request-1"}
        return await desk.http.post("/v1/journal/team/sampler", json=body, headers=once)

    first, again = await append({"a": 1}, {"a": 2}), await append({"a": 1}, {"a": 2})
    others = [await append({"a": 1}), await append({"a": 1}, {"a": 3}), await append({"a": 1}, {"a": 2}, {"a": 3})]

    assert first.json() == again.json() == {"last": 2}
    assert [other.status_code for other in others] == [422, 422, 422]
    assert "'request-1' was used for another request" in others[0].json()["error"]


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
        pytest.param(b"[" * 50_000, "nested too deeply, hundreds of levels; send it flatter", id="depth without end"),
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
    ("body", "code"),
    [
        pytest.param(b"", "PARSE_ERROR", id="nothing"),
        pytest.param(b'{"context": {"targetingKey": NaN}}', "PARSE_ERROR", id="a number that JSON does not have"),
        pytest.param(b"[" * 60_000, "PARSE_ERROR", id="nested without end"),
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
    fresh = FlagsDesk(desk.store, AccessTokens())
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


PAGE = "https://app.example.com"


@pytest.fixture
async def browsed(guarded: FlagsDesk) -> AsyncIterator[FlagsDesk]:
    desk = FlagsDesk(guarded.store, TOKENS, (PAGE,))
    await desk.publisher.refresh()
    yield desk
    await desk.http.aclose()


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type"}
    return {"Origin": origin, **asked}


async def test_a_page_of_an_allowed_origin_may_evaluate_and_sees_tags_and_refusals(browsed, split):
    await browsed.publisher.refresh()
    asked = await browsed.http.options("/ofrep/v1/evaluate/flags", headers=preflight(PAGE))
    token = {"Authorization": "Bearer evaluate-token-of-the-tests", "Origin": PAGE}
    answer = await browsed.http.post("/ofrep/v1/evaluate/flags", json=ANN, headers=token)
    refused = await browsed.http.post("/ofrep/v1/evaluate/flags/f", json=ANN, headers={"Origin": PAGE})

    assert asked.status_code == 200
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"].lower()
    assert answer.status_code == 200
    assert refused.status_code == 401
    for one in (asked, answer, refused):
        assert one.headers["Access-Control-Allow-Origin"] == PAGE
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        pytest.param("/ofrep/v1/evaluate/flags", "https://evil.example.com", id="another origin"),
        pytest.param("/v1/flags/f", PAGE, id="the admin API"),
        pytest.param("/v1/flags/f/kill", PAGE, id="the kill switch"),
    ],
)
async def test_no_other_page_and_no_other_path_is_opened_to_browsers(browsed, path, origin):
    asked = await browsed.http.options(path, headers=preflight(origin))
    read = await browsed.http.get(path, headers={"Origin": origin})

    assert "access-control-allow-origin" not in {*asked.headers, *read.headers}


async def test_without_origins_no_page_is_let_in(desk):
    answer = await desk.http.post("/ofrep/v1/evaluate/flags", json=ANN, headers={"Origin": PAGE})

    assert "access-control-allow-origin" not in answer.headers
