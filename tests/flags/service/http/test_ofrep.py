"""OFREP over HTTP, by hand and with the published Python provider."""

import asyncio
import json

import httpx
import pytest
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import Reason

from pitwall_flags.flag.record import Contents, FlagRecord
from pitwall_flags.service import publish
from pitwall_flags.service.auth import ALL_FLAGS
from pitwall_flags.service.fairness.costly import Turn
from pitwall_flags.service.http import ofrep

pytestmark = pytest.mark.slow
WHO = {"actor": "kim", "reason": "a test"}
USER = {"context": {"targetingKey": "user-1"}}
PER_PLAN = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "off",
    "targeting": {"if": [{"==": [{"var": "plan"}, "pro"]}, "on", None]},
}


def create(http, key, document):
    created = http.put(f"/v1/flags/{key}", json={"document": document, **WHO}, headers={"If-None-Match": "*"})
    assert created.status_code == 201, created.text
    return key


def single(http, key, body):
    return http.post(f"/ofrep/v1/evaluate/flags/{key}", json=body)


def test_a_split_is_evaluated(http, key, split):
    create(http, key, split(10_000))
    assert single(http, key, USER).json() == {
        "key": key,
        "value": "aks-v2",
        "variant": "candidate",
        "reason": "SPLIT",
        "metadata": {"flagSetId": "pitwall", "version": "1"},
    }


@pytest.mark.parametrize(("plan", "value", "reason"), [("pro", True, "TARGETING_MATCH"), ("free", False, "DEFAULT")])
def test_attributes_are_evaluated(http, key, plan, value, reason):
    create(http, key, PER_PLAN)
    answer = single(http, key, {"context": {"targetingKey": "u", "plan": plan}}).json()
    assert (answer["value"], answer["reason"]) == (value, reason)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"state": "DISABLED", "variants": {"a": 1}, "defaultVariant": "a"}, {"reason": "DISABLED", "variant": ""}),
        ({"state": "ENABLED", "variants": {"a": 1}}, {"reason": "DEFAULT", "variant": ""}),
        (
            {"state": "ENABLED", "variants": {"a": 1.5, "b": 2}, "defaultVariant": "b"},
            {"value": 2.0, "reason": "STATIC"},
        ),
        ({"state": "ENABLED", "variants": {"a": {"x": 1}}, "defaultVariant": "a"}, {"value": {"x": 1}}),
    ],
)
def test_every_kind_of_flag_is_answered(http, key, document, expected):
    create(http, key, document)
    answer = single(http, key, USER)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in expected} == expected
    assert ("value" in answer.json()) == ("value" in expected)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "PARSE_ERROR"),
        (b"{", "PARSE_ERROR"),
        (b"[1]", "PARSE_ERROR"),
        (b"{}", "INVALID_CONTEXT"),
        (b'{"context": 1}', "INVALID_CONTEXT"),
        (b'{"context": {}}', "TARGETING_KEY_MISSING"),
        (b'{"context": {"targetingKey": ""}}', "TARGETING_KEY_MISSING"),
        (b'{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"),
    ],
)
@pytest.mark.parametrize("path", ["/ofrep/v1/evaluate/flags/f", "/ofrep/v1/evaluate/flags"])
def test_a_request_without_context_is_refused_as_specified(http, path, body, code):
    answer = http.post(path, content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert ("key" in answer.json()) == path.endswith("/f")


def test_an_unknown_flag_is_not_found(http, key):
    answer = single(http, key, USER)
    assert (answer.status_code, answer.json()["errorCode"], answer.json()["key"]) == (404, "FLAG_NOT_FOUND", key)


def test_the_bulk_answer_holds_every_flag_and_where_to_listen(http, key, split):
    create(http, key, split(0))
    answer = http.post("/ofrep/v1/evaluate/flags", json=USER)
    body = answer.json()
    assert {flag["key"]: flag for flag in body["flags"]}[key]["value"] == "uniform-v1"
    assert body["eventStreams"][0]["type"] == "sse"
    assert answer.headers["etag"].startswith('"')


async def test_the_evaluation_of_many_costly_flags_holds_up_nobody():
    summed = {"reduce": [{"var": "xs"}, {"+": [{"var": "accumulator"}, {"var": "current"}]}, 0]}
    costly = {**PER_PLAN, "targeting": {"if": [{"<": [{"+": [summed] * 8}, 0]}, "on", "off"]}}
    records = tuple(FlagRecord(f"f{number}", costly, 1) for number in range(12))
    snapshot = publish._first(Contents(records, 1, 0), "pitwall")
    served = []

    async def others():
        while True:
            served.append(1)
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    body = await ofrep._bulk(snapshot, "u", {"xs": [1] * 1_000}, ALL_FLAGS, Turn(None))
    beside.cancel()

    assert [flag["errorCode"] for flag in json.loads(f"{{{body}}}")["flags"]] == ["GENERAL"] * 12
    assert len(served) >= 10, "each takes longer than others shall wait"


def test_the_etag_stands_for_the_result_not_for_the_flags(http, key):
    create(http, key, PER_PLAN)

    def bulk(context, etag=""):
        body = {"context": {"targetingKey": "u", **context}}
        return http.post("/ofrep/v1/evaluate/flags", json=body, headers={"If-None-Match": etag})

    etag = bulk({"plan": "free"}).headers["etag"]
    assert bulk({"plan": "free"}, etag).status_code == 304
    assert bulk({"plan": "free"}, etag).content == b""
    assert bulk({"plan": "free", "irrelevant": 1}, etag).status_code == 304
    assert bulk({"plan": "pro"}, etag).status_code == 200


def test_a_change_makes_the_etag_old(http, key, split):
    create(http, key, split(0))
    etag = http.post("/ofrep/v1/evaluate/flags", json=USER).headers["etag"]
    create(http, f"{key}-2", split(0))
    again = http.post("/ofrep/v1/evaluate/flags", json=USER, headers={"If-None-Match": etag})
    assert again.status_code == 200


def test_listeners_are_told_to_fetch_again(http, key, split):
    create(http, key, split(0))
    stream = http.post("/ofrep/v1/evaluate/flags", json=USER).json()["eventStreams"][0]
    with http.stream("GET", stream["endpoint"]["requestUri"]) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = events.iter_lines()
        assert next(lines) == "retry: 1000"
        create(http, f"{key}-2", split(0))
        frame = dict(line.split(": ", 1) for line in (next(lines), next(lines), next(lines), next(lines)) if line)
    data = json.loads(frame["data"])
    assert (frame["event"], data["type"], frame["id"]) == ("message", "refetchEvaluation", data["etag"])
    answer = http.post("/ofrep/v1/evaluate/flags", params={"flagConfigEtag": data["etag"]}, json=USER).json()
    assert f"{key}-2" in [flag["key"] for flag in answer["flags"]]


@pytest.mark.parametrize("channel", ["", "x", "ü"])
def test_the_stream_needs_its_secret(http, channel):
    assert http.get("/ofrep/v1/events", params={"channel": channel}).status_code == 403


def test_event_streams_end_when_the_service_stops(service):
    with httpx.stream("POST", f"{service.url}/ofrep/v1/evaluate/flags", json=USER) as answer:
        uri = json.loads(answer.read())["eventStreams"][0]["endpoint"]["requestUri"]
    with httpx.stream("GET", service.url + uri) as events:
        lines = events.iter_lines()
        assert next(lines) == "retry: 1000"
        service.process.terminate()
        assert list(lines) == [""]
    assert service.stop() == 0


def test_the_published_python_provider_follows_a_live_change(http, shared_service, key, split):
    provider = OFREPProvider(shared_service.url)
    create(http, key, split(0))
    context = EvaluationContext("user-1", {"plan": "pro"})
    before = provider.resolve_string_details(key, "default", context)
    assert (before.value, before.variant, before.reason) == ("uniform-v1", "stable", Reason.SPLIT)
    http.put(f"/v1/flags/{key}", json={"document": split(10_000), **WHO}, headers={"If-Match": '"1"'})
    assert provider.resolve_string_details(key, "default", context).value == "aks-v2"
    with pytest.raises(FlagNotFoundError):
        provider.resolve_string_details(f"{key}-none", "default", context)
    with pytest.raises(TypeMismatchError):
        provider.resolve_boolean_details(key, True, context)
    provider.session.close()


@pytest.mark.parametrize(
    ("document", "asked", "default", "value"),
    [
        ({"state": "DISABLED", "variants": {"a": "x"}}, "string", "mine", "mine"),
        ({"state": "ENABLED", "variants": {"a": 1.5, "b": 2}, "defaultVariant": "b"}, "float", 0.5, 2.0),
        ({"state": "ENABLED", "variants": {"a": 3}, "defaultVariant": "a"}, "integer", 0, 3),
        ({"state": "ENABLED", "variants": {"a": True}, "defaultVariant": "a"}, "boolean", False, True),
    ],
)
def test_the_published_python_provider_reads_every_type(http, shared_service, key, document, asked, default, value):
    create(http, key, document)
    provider = OFREPProvider(shared_service.url)
    resolve = getattr(provider, f"resolve_{asked}_details")
    assert resolve(key, default, EvaluationContext("user-1")).value == value
    provider.session.close()
