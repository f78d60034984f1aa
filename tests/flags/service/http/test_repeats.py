"""Requests under a key that was used: the same again is applied once, another one is refused and not lost."""

from typing import Any

import httpx
import pytest

WHY = {"actor": "kim", "reason": "by hand"}


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
