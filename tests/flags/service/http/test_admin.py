"""The admin API over HTTP: preconditions, audit, diff, kill and release."""

import pytest

pytestmark = pytest.mark.slow
WHO = {"actor": "kim", "reason": "a test"}


def put(http, key, document, **headers):
    return http.put(f"/v1/flags/{key}", json={"document": document, **WHO}, headers=headers)


def create(http, key, document):
    return put(http, key, document, **{"If-None-Match": "*"})


def evaluated(http, key, user="user-1"):
    return http.post(f"/ofrep/v1/evaluate/flags/{key}", json={"context": {"targetingKey": user}}).json()


def test_a_new_flag_is_created_once(http, key, split):
    first = create(http, key, split(0))
    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    assert create(http, key, split(0)).status_code == 412


def test_a_write_needs_the_version_it_is_based_on(http, key, split):
    create(http, key, split(0))
    assert put(http, key, split(100)).status_code == 428
    assert put(http, key, split(100), **{"If-Match": '"7"'}).status_code == 412
    done = put(http, key, split(100), **{"If-Match": '"1"'})
    assert (done.status_code, done.json()["version"]) == (200, 2)
    assert http.get(f"/v1/flags/{key}").headers["etag"] == '"2"'


@pytest.mark.parametrize("value", ["*", "abc", '"-1"', '"1.0"', '"99999999999"', '"１"'.encode()])
def test_an_if_match_that_is_no_version_is_refused(http, key, split, value):
    create(http, key, split(0))
    assert put(http, key, split(100), **{"If-Match": value}).status_code in (400, 412)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({}, "required", id="empty"),
        pytest.param({"state": "ON", "variants": {"a": True}}, "state", id="state"),
        pytest.param({"state": "ENABLED", "variants": {}}, "variants", id="no-variants"),
        pytest.param({"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "b"}, "'b'", id="default"),
        pytest.param({"state": "ENABLED", "variants": {"a": 1, "b": "x"}}, "variants", id="mixed"),
        pytest.param({"state": "ENABLED", "variants": {"a": 1}, "weight": 1}, "unknown fields", id="unknown"),
        pytest.param(
            {"state": "ENABLED", "variants": {"a": 1}, "targeting": {"fractionall": []}}, "targeting", id="op"
        ),
        pytest.param(
            {"state": "ENABLED", "variants": {"a": 1}, "targeting": {"in": ["a", [{"log": 1}]]}}, "log", id="log"
        ),
        pytest.param({"state": "ENABLED", "variants": {"a": "x" * 70_000}}, "65536", id="size"),
    ],
)
def test_a_document_that_flagd_would_not_understand_is_refused(http, key, document, words):
    answer = create(http, key, document)
    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert http.get(f"/v1/flags/{key}").status_code == 404


@pytest.mark.parametrize("missing", ["actor", "reason", "document"])
def test_who_and_why_are_required(http, key, split, missing):
    body = {"document": split(0), **WHO}
    del body[missing]
    assert http.put(f"/v1/flags/{key}", json=body, headers={"If-None-Match": "*"}).status_code == 422


@pytest.mark.parametrize("bad", ["a b", "-a", "ü", "a" * 255, "%00"])
def test_a_key_that_is_none_is_refused(http, split, bad):
    assert create(http, bad, split(0)).status_code == 422


def test_the_history_tells_who_when_why_before_and_after(http, key, split):
    create(http, key, split(0))
    put(http, key, split(100), **{"If-Match": '"1"'})
    newest, oldest = http.get(f"/v1/flags/{key}/history").json()["changes"]
    assert (newest["actor"], newest["reason"], newest["action"]) == ("kim", "a test", "put")
    assert newest["before"] == oldest["after"]
    assert newest["atMs"] >= oldest["atMs"] > 1_700_000_000_000
    assert len(http.get(f"/v1/flags/{key}/history", params={"before_version": 2}).json()["changes"]) == 1


def test_a_long_history_comes_page_by_page(http, key):
    for version in range(12):
        document = {"state": "ENABLED", "variants": {"a": f"{version}" + "x" * 60_000}, "defaultVariant": "a"}
        put(http, key, document, **({"If-Match": f'"{version}"'} if version else {"If-None-Match": "*"}))
    seen, pages, more, before = [], 0, True, {}
    while more:
        page = http.get(f"/v1/flags/{key}/history", params=before).json()
        seen += [change["version"] for change in page["changes"]]
        assert not any(change["forgotten"] for change in page["changes"])
        pages, more, before = pages + 1, page["more"], {"before_version": seen[-1]}
    assert (seen, pages) == (list(range(12, 0, -1)), 2)


def test_the_diff_points_at_what_changed(http, key, split):
    create(http, key, split(0))
    put(http, key, split(100), **{"If-Match": '"1"'})
    found = http.get(f"/v1/flags/{key}/diff", params={"from": 1, "to": 2}).json()["differences"]
    weights = "/targeting/if/1/fractional"
    assert {"path": f"{weights}/1/1", "before": 0, "after": 100} in found
    assert {difference["path"] for difference in found} == {
        "/metadata/version", f"{weights}/1/1", f"{weights}/2/1", f"{weights}/3/1",
    }  # fmt: skip
    assert http.get(f"/v1/flags/{key}/diff", params={"from": 1, "to": 9}).status_code == 404


def test_a_kill_wins_over_later_writes_until_released(http, key, split):
    create(http, key, split(10_000))
    assert evaluated(http, key)["variant"] == "candidate"
    killed = http.post(f"/v1/flags/{key}/kill", json=WHO)
    assert (killed.status_code, killed.json()["killed"]) == (200, True)
    assert evaluated(http, key)["variant"] == "stable"
    written = put(http, key, split(10_000), **{"If-Match": killed.headers["etag"]})
    assert written.json()["killed"] is True
    still = evaluated(http, key)
    assert (still["variant"], still["metadata"]["killed"]) == ("stable", True)
    http.post(f"/v1/flags/{key}/release", json=WHO)
    assert evaluated(http, key)["variant"] == "candidate"
    actions = [change["action"] for change in http.get(f"/v1/flags/{key}/history").json()["changes"]]
    assert actions == ["release", "put", "kill", "put"]


def delete(http, key, *, params=WHO, **headers):
    return http.delete(f"/v1/flags/{key}", params=params, headers=headers)


def test_a_flag_is_deleted_at_the_version_that_was_read(http, key, split):
    create(http, key, split(100))
    assert delete(http, key).status_code == 428
    assert delete(http, key, **{"If-Match": "*"}).status_code == 400
    conflict = delete(http, key, **{"If-Match": '"7"'})
    assert (conflict.status_code, conflict.headers["etag"]) == (412, '"1"')
    assert delete(http, key, params={"actor": "kim"}, **{"If-Match": '"1"'}).status_code == 422
    gone = delete(http, key, **{"If-Match": '"1"'})
    assert (gone.status_code, gone.json()["version"], gone.json()["action"]) == (200, 2, "delete")
    assert http.get(f"/v1/flags/{key}").status_code == 404
    assert evaluated(http, key)["errorCode"] == "FLAG_NOT_FOUND"
    assert delete(http, key, **{"If-Match": '"2"'}).status_code == 412


def test_the_history_and_the_diff_of_a_deleted_flag_stay(http, key, split):
    create(http, key, split(100))
    delete(http, key, **{"If-Match": '"1"'})
    assert create(http, key, split(200)).json()["version"] == 3
    newest, gone, oldest = http.get(f"/v1/flags/{key}/history").json()["changes"]
    assert (gone["actor"], gone["reason"], gone["after"]) == ("kim", "a test", None)
    assert (gone["before"], newest["before"]) == (oldest["after"], None)
    found = http.get(f"/v1/flags/{key}/diff", params={"from": 1, "to": 2}).json()["differences"]
    assert found == [{"path": "", "before": oldest["after"], "after": None}]


def test_a_killed_flag_is_not_deleted(http, key, split):
    create(http, key, split(100))
    http.post(f"/v1/flags/{key}/kill", json=WHO)
    refused = delete(http, key, **{"If-Match": '"2"'})
    assert (refused.status_code, "/release" in refused.json()["error"]) == (409, True)
    assert evaluated(http, key)["variant"] == "stable"


def test_a_repeated_idempotency_key_changes_nothing(http, key, split):
    create(http, key, split(0))
    for _ in range(3):
        killed = http.post(f"/v1/flags/{key}/kill", json=WHO, headers={"Idempotency-Key": f"once-{key}"})
    assert killed.json()["version"] == 2


@pytest.mark.parametrize("path", ["", "/history", "/diff?from=1&to=2"])
def test_an_unknown_flag_is_not_found(http, key, path):
    assert http.get(f"/v1/flags/{key}{path}").status_code == 404
    assert http.post(f"/v1/flags/{key}/kill", json=WHO).status_code == 404


def test_the_list_holds_every_flag(http, key, split):
    create(http, key, split(0))
    answer = http.get("/v1/flags").json()
    assert key in [flag["key"] for flag in answer["flags"]]
    assert answer["revision"] >= 1


def test_a_body_too_large_is_refused_whatever_it_claims(http, key):
    def endless():
        for _ in range(40):
            yield b"x" * 10_000

    assert http.put(f"/v1/flags/{key}", content=b"x" * 200_000).status_code == 413
    assert http.put(f"/v1/flags/{key}", content=endless()).status_code == 413


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", b'{"document": NaN}', b"null"])
def test_a_body_that_is_no_json_object_is_refused(http, key, body):
    headers = {"If-None-Match": "*", "Content-Type": "application/json"}
    assert http.put(f"/v1/flags/{key}", content=body, headers=headers).status_code in (400, 422)
