"""What the operator's client makes of every reply: what it tries again, what it gives up, and what is no flag."""

import asyncio

import httpx
import pytest

from pitwall_flags import client as client_module
from pitwall_flags.client import ATTEMPTS, JOURNAL_LINES, FlagClient
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsError, FlagsUnreachableError
from pitwall_flags.flag.record import FlagRecord

FLAG = {"key": "f", "version": 3, "killed": False, "document": {"state": "ENABLED"}}
WRITE = {"expected_version": 2, "actor": "operator", "reason": "stage 1"}


class Wire:
    """Answers each request with the next reply, an exception raised; the last one again and again."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


@pytest.fixture
def talk():
    """A client over a wire."""

    def build(*replies: httpx.Response | Exception) -> tuple[FlagClient, Wire]:
        wire = Wire(*replies)
        return FlagClient("http://flags", token="secret", transport=httpx.MockTransport(wire.answer)), wire

    return build


def says(status: int, body: object = None, text: str | None = None) -> httpx.Response:
    return httpx.Response(status, text=text) if text is not None else httpx.Response(status, json=body)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(httpx.ConnectError("refused"), id="nobody listens"),
        pytest.param(httpx.ReadTimeout(""), id="no answer in time"),
        pytest.param(httpx.RemoteProtocolError("cut"), id="an answer that is cut"),
        pytest.param(says(429, {"error": "too many"}), id="too many requests"),
        pytest.param(says(503, {"error": "database away"}), id="a database that is away"),
        pytest.param(says(502, text="<html>"), id="a proxy without a service"),
    ],
)
async def test_what_may_pass_is_tried_again_with_the_same_key_so_that_it_is_applied_once(talk, trouble):
    client, wire = talk(trouble, says(200, FLAG))

    record = await client.put("f", FLAG["document"], **WRITE)
    await client.close()

    keys = [request.headers["idempotency-key"] for request in wire.requests]
    assert record == FlagRecord("f", FLAG["document"], 3)
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), says(504, text="late")], ids=["away", "late"])
async def test_what_does_not_pass_is_told_with_the_number_of_attempts_and_no_token(talk, trouble):
    client, wire = talk(trouble)

    with pytest.raises(FlagsUnreachableError, match=f"failed {ATTEMPTS} times") as caught:
        await client.get("f")
    await client.close()

    assert len(wire.requests) == ATTEMPTS
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        pytest.param(says(412, {"error": "read again"}), FlagConflictError, "read again", id="somebody else wrote"),
        pytest.param(says(422, {"error": "weights"}), FlagRejectedError, "422: weights", id="a bad document"),
        pytest.param(says(403, {"detail": "no scope"}), FlagRejectedError, "403: no scope", id="a token too weak"),
        pytest.param(says(500, text="boom"), FlagRejectedError, "500: boom", id="a fault of the service"),
        pytest.param(says(400, ["odd"]), FlagRejectedError, "400: ", id="words that are a list"),
        pytest.param(says(404, {"error": ""}), FlagRejectedError, "404: ", id="a path that is not there"),
        pytest.param(says(301, text=""), FlagRejectedError, "301", id="a redirect"),
        pytest.param(says(200, text="<html>Welcome</html>"), FlagRejectedError, "Welcome", id="another service's page"),
        pytest.param(says(200, [FLAG]), FlagRejectedError, "200: ", id="a list in place of a flag"),
    ],
)
async def test_what_will_not_pass_is_asked_once_and_told_in_the_services_words(talk, reply, error, words):
    client, wire = talk(reply)

    with pytest.raises(error, match=words) as caught:
        await client.put("f", {}, **WRITE)
    await client.close()

    assert isinstance(caught.value, FlagsError)
    assert len(wire.requests) == 1


async def test_no_such_flag_is_none_and_a_key_is_one_step_of_the_path_whatever_it_holds(talk):
    client, wire = talk(says(404, {"error": "no flag"}))

    assert await client.get("../admin?x=/y") is None
    await client.close()

    assert wire.requests[0].url.raw_path == b"/v1/flags/..%2Fadmin%3Fx%3D%2Fy"


async def test_the_first_write_says_that_there_is_none_yet_and_a_later_one_which_it_saw(talk):
    client, wire = talk(says(201, FLAG))

    await client.put("f", {}, **{**WRITE, "expected_version": None})
    await client.put("f", {}, **WRITE)
    await client.delete("f", **WRITE)
    await client.close()

    seen = [(request.headers.get("if-none-match"), request.headers.get("if-match")) for request in wire.requests]
    assert seen == [("*", None), (None, '"2"'), (None, '"2"')]
    assert wire.requests[2].url.params["reason"] == "stage 1"


async def test_a_record_is_sent_in_small_parts_each_with_a_key_of_its_own_and_none_when_empty(talk):
    client, wire = talk(says(200, {"last": 1}))

    await client.append_journal("video", "sampler", [{"line": number} for number in range(2 * JOURNAL_LINES + 1)])
    await client.append_journal("video", "sampler", [])
    await client.close()

    assert len({request.headers["idempotency-key"] for request in wire.requests}) == len(wire.requests) == 3


async def test_a_record_is_read_page_by_page_to_its_end(talk):
    pages = [{"lines": [{"n": 1}, {"n": 2}], "last": 2, "more": True}, {"lines": [{"n": 3}], "last": 3, "more": False}]
    client, wire = talk(*(says(200, page) for page in pages))

    lines = [line async for line in client.read_journal("video", "sampler")]
    await client.close()

    assert lines == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [request.url.params["after"] for request in wire.requests] == ["0", "2"]


class DrippingReply(httpx.AsyncByteStream):
    """An answer that never ends, in drops that come soon enough one after the other."""

    async def __aiter__(self):
        while True:
            yield b" "
            await asyncio.sleep(0.01)


async def test_an_answer_that_comes_in_drops_is_none(monkeypatch):
    monkeypatch.setattr(client_module, "ATTEMPTS", 1)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=DrippingReply()))
    client = FlagClient("http://flags", timeout_seconds=0.1, transport=transport)
    async with asyncio.timeout(20):
        with pytest.raises(FlagsUnreachableError, match=r"no whole answer came within 0\.4 s"):
            await client.get("f")
    await client.close()


async def test_an_answer_that_is_packed_is_refused_before_it_is_unpacked(talk):
    packed = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip at all"))
    client, wire = talk(packed)

    with pytest.raises(FlagRejectedError, match="packed as 'gzip', which nobody asked for"):
        await client.get("f")
    assert wire.requests[0].headers["accept-encoding"] == "identity"
    await client.close()


async def test_an_answer_without_end_is_refused(talk, monkeypatch):
    monkeypatch.setattr(client_module, "MOST_BYTES", 1000)
    client, _ = talk(says(200, text="x" * 1001))

    with pytest.raises(FlagRejectedError, match="longer than 1000 bytes"):
        await client.get("f")
    await client.close()
