"""What not every reader of JSON can read: refused, and where it was stored before, the fault of its own flag alone."""

import json

import pytest

from pitwall_flags.flag.record import Intent
from pitwall_flags.service.auth import ALL_FLAGS
from pitwall_flags.service.sync import Messages

pytestmark = pytest.mark.slow
ME = Intent("me", "because")
GOOD = {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a"}
USER = {"context": {"targetingKey": "u"}}
ODD = {
    "odd.value": GOOD | {"variants": {"a": "\ud800"}},
    "odd.name": {"state": "ENABLED", "variants": {"\udfff": "x"}, "defaultVariant": "\udfff"},
    "odd.metadata": GOOD | {"metadata": {"m": "\ud800"}},
    "odd.rule": GOOD | {"targeting": {"cat": ["\ud800", "a"]}},
    "odd.number": GOOD | {"variants": {"a": 10**400}},
}


@pytest.fixture
async def mixed(desk):
    """A service whose database has had odd flags since before they were refused, and a good one."""
    for key, document in {**ODD, "good": GOOD}.items():
        await desk.store.put(key, document, expected_version=None, intent=ME)
    await desk.publisher.refresh()
    return desk


@pytest.mark.parametrize("document", ODD.values(), ids=ODD)
async def test_what_some_readers_cannot_read_is_refused_in_words_and_not_stored(desk, document):
    body = json.dumps({"document": document, "actor": "me", "reason": "r"})  # in ASCII, as no client of ours sends it
    headers = {"If-None-Match": "*", "Content-Type": "application/json"}
    answer = await desk.http.put("/v1/flags/odd", content=body, headers=headers)

    assert answer.status_code == 400
    assert "half of it" in answer.text or "beyond 1.8e308" in answer.text
    assert (await desk.http.get("/v1/flags/odd")).status_code == 404


async def test_an_integer_that_is_not_exact_everywhere_is_refused_in_words(desk):
    answer = await desk.put("odd", GOOD | {"variants": {"a": 2**53 + 1}})

    assert (answer.status_code, "write it as a text" in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/flags/good/kill", {"actor": "\ud800", "reason": "r"}, id="who kills"),
        pytest.param("/v1/flags/good/kill", {"actor": "me", "reason": "r\udfff"}, id="why"),
        pytest.param("/v1/journal/shop/aks", {"lines": [{"event": "\ud800"}]}, id="a line of a record"),
        pytest.param("/v1/journal/shop/aks", {"lines": [{"\ud800": 1}]}, id="a name in a record"),
    ],
)
async def test_nothing_else_that_is_stored_holds_half_a_character(mixed, path, body):
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}

    answer = await mixed.http.post(path, content=json.dumps(body), headers=headers)

    assert (answer.status_code, "half of it" in answer.json()["error"]) == (400, True)


async def test_of_all_flags_those_that_cannot_be_told_are_their_own_errors(mixed):
    answer = await mixed.http.post("/ofrep/v1/evaluate/flags", json=USER)

    found = {flag["key"]: flag for flag in answer.json()["flags"]}
    assert (answer.status_code, found["good"]["value"]) == (200, "x")
    assert {found[key]["errorCode"] for key in ODD} == {"PARSE_ERROR"}
    assert "half of a character" in found["odd.value"]["errorDetails"]


@pytest.mark.parametrize("key", ODD)
async def test_a_flag_that_cannot_be_told_can_be_looked_at_killed_mended_and_deleted(mixed, key):
    single = await mixed.http.post(f"/ofrep/v1/evaluate/flags/{key}", json=USER)
    assert (single.status_code, single.json()["errorCode"]) == (400, "PARSE_ERROR")
    assert (await mixed.http.get(f"/v1/flags/{key}")).json()["document"] == ODD[key]
    assert {"key": key, "version": 1, "killed": False, "document": ODD[key]} in (
        (await mixed.http.get("/v1/flags")).json()["flags"]
    )
    for switch in ("kill", "release"):
        done = await mixed.http.post(f"/v1/flags/{key}/{switch}", json={"actor": "me", "reason": "r"})
        assert done.status_code == 200
    assert (await mixed.put(key, GOOD, version=3)).status_code == 200
    history = (await mixed.http.get(f"/v1/flags/{key}/history")).json()["changes"]
    assert [change["version"] for change in history] == [4, 3, 2, 1]
    assert (await mixed.http.get(f"/v1/flags/{key}/diff", params={"from": 1, "to": 4})).json()["differences"]
    answer = await mixed.http.post("/ofrep/v1/evaluate/flags", json=USER)
    assert {flag["key"]: flag.get("value") for flag in answer.json()["flags"]}[key] == "x"
    gone = await mixed.http.delete(
        f"/v1/flags/{key}", params={"actor": "me", "reason": "r"}, headers={"If-Match": '"4"'}
    )
    assert gone.status_code == 200


async def test_followers_get_all_flags_but_those_that_some_could_not_read(mixed):
    for publisher in (mixed.publisher, mixed.beside().publisher):
        snapshot = await publisher.refresh()

        assert set(json.loads(snapshot.configuration)["flags"]) == {"good"}
        assert b"ud800" not in Messages().of(snapshot, "", ALL_FLAGS, "tests")
