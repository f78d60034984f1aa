"""What callers and their users keep from each other over HTTP: places, users by name, and what may be sent."""

import asyncio
import concurrent.futures
import contextlib
import select
import socket
from urllib.parse import urlsplit

import pytest

from pitwall_crds.host.http.places import VOUCH
from pitwall_gateway.callers.rule import CallerLimits, CallerRule
from pitwall_gateway.flags.port import FixedFlags
from pitwall_gateway.serve.app import build_app
from pitwall_gateway.serve.settings import Rules

WEB, OTHER, SMALL = "web-key-0123456789", "other-key-0123456789", "small-key-0123456789"


@pytest.fixture
def opened(pit, callers_file, issuer):
    """A gateway for two callers by key, one of which has a share, and for users by token."""

    def build(**limits):
        stable, fresh = pit.runtime("uniform-v1"), pit.runtime("aks-v2")
        pit.route({"uniform-v1": {"stable": [stable.url]}, "aks-v2": {"candidate": [fresh.url]}})
        file = callers_file(web={"keys": [WEB]}, other={"keys": [OTHER]}, small={"keys": [SMALL], "share": 0.1})
        rule = CallerRule(file, issuer.rule, CallerLimits(**limits))
        pit.open(FixedFlags({"sampler.variant": ("candidate", "aks-v2")}), Rules(callers=rule))
        return fresh

    return build


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("keys", [(SMALL, WEB), (WEB, SMALL), (WEB, OTHER)])
def test_who_asks_through_several_applications_is_met_once_whoever_names_them_first(pit, opened, keys):
    """Their arm was drawn once; and whom a caller names beyond its share is met when another caller does."""
    opened()
    for key in keys:
        for number in range(20):
            assert pit.ask(f"user-{number}", headers=bearer(key)).status_code == 200

    assert pit.metric("pitwall_users_total") == 20


def test_what_is_refused_for_a_users_places_does_not_use_up_the_callers_day(pit, opened):
    fresh = opened(questions_per_day=3, user_questions_at_once=1)
    fresh.hangs = True
    with concurrent.futures.ThreadPoolExecutor(1) as waiting:
        first = waiting.submit(pit.ask, "ann", headers=bearer(WEB))
        pit.until(lambda: fresh.seen, "the first to be under way")
        refused = [pit.ask("ann", headers=bearer(WEB)).json()["error"]["code"] for _ in range(5)]
        fresh.release.set()

    assert (first.result().status_code, refused) == (200, ["too_many_at_once"] * 5)
    assert pit.ask("bob", headers=bearer(WEB)).status_code == 200


def test_a_user_whose_questions_never_arrive_whole_takes_no_place_of_others(pit, opened, issuer):
    opened(questions_at_once=6, user_questions_at_once=2)
    where = urlsplit(pit.url)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 900\r\n"
    with contextlib.ExitStack() as held:
        connections = [
            held.enter_context(socket.create_connection((where.hostname, where.port), timeout=60)) for _ in range(6)
        ]
        for connection in connections:
            connection.sendall(f"{head}Authorization: Bearer {issuer.token(sub='ann')}\r\n\r\n{{".encode())
        pit.until(lambda: len(select.select(connections, [], [], 0)[0]) == 4, "four to be refused")

        assert pit.ask(headers=bearer(issuer.token(sub="ann"))).status_code == 429
        assert pit.ask(headers=bearer(issuer.token(sub="bob"))).status_code == 200
        assert pit.ask("kim", headers=bearer(WEB)).status_code == 200


@pytest.mark.parametrize(("key", "told"), [(WEB, ["web"]), ("another-key-0123456789", []), ("", [])])
def test_the_server_is_told_whose_connection_has_shown_good_credentials(pit, opened, key, told):
    """It keeps that one when strangers' fill all places."""
    opened()
    app, heard = build_app(pit.wiring), []
    headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/v1/models", "query_string": b""}

    async def nothing(*_):
        return {"type": "http.request"}

    asyncio.run(app({**scope, "headers": headers, "extensions": {VOUCH: heard.append}}, nothing, nothing))

    assert heard == told


def test_feedback_is_short(pit, opened):
    opened()
    fields = {f"f{number}": 0 for number in range(4000)}

    refused = pit.feedback(answer_id="ans-1", headers=bearer(WEB), **fields)

    assert refused.status_code == 413
    assert "the limit is 16384" in refused.json()["error"]["message"]


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(TRACE.encode(), TRACE, id="a good one"),
        pytest.param(TRACE.encode() + b"-more", TRACE + "-more", id="of a version to come"),
        pytest.param(b"caf\xe9", None, id="not ASCII"),
        pytest.param(TRACE.upper().encode(), None, id="upper case"),
        pytest.param(TRACE.encode() + b"-" + b"x" * 999, None, id="long"),
    ],
)
def test_a_trace_is_passed_on_if_it_is_one(pit, opened, said, told):
    runtime = opened()

    assert pit.ask(headers={**bearer(WEB), b"traceparent": said}).status_code == 200
    assert runtime.headers[0].get("traceparent") == told
