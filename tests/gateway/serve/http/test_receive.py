"""Bodies that are too large, too slow, or cut off, as an ASGI server hands them over."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import Request

from pitwall_gateway.serve.http.receive import DRAIN_BODIES, BodyRoom, BodyRule, read_body
from pitwall_gateway.values.errors import RequestRefusedError

RULE = BodyRule(largest_bytes=10, seconds=5)
SHORTER = "be brief"
GONE = {"type": "http.disconnect"}


def request(parts: Iterable[bytes], *, then: dict[str, str] | None = None, length: int | None = None) -> Request:
    """A request whose body arrives in these parts; after them it ends, or `then` happens."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append(then or {"type": "http.request", "body": b"", "more_body": False})
    pending = iter(messages)
    headers = [] if length is None else [(b"content-length", str(length).encode())]

    async def receive():
        return next(pending)

    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


@pytest.mark.parametrize(
    "parts",
    [(b"",), (b"0123456789",), (b"01234", b"56789"), (b"", b"1", b"")],
    ids=["none", "one", "two", "empty ones"],
)
async def test_a_body_up_to_the_limit_is_read_whole(parts):
    assert await read_body(request(parts), RULE, SHORTER) == b"".join(parts)


@pytest.mark.parametrize(
    ("parts", "length", "said"),
    [
        pytest.param([b"0123456789x"], None, "11 bytes", id="one byte too many"),
        pytest.param([b"01234"] * 3, None, "15 bytes", id="too many parts, without a length"),
        pytest.param([b"01234"] * 3, 5, "15 bytes", id="a length that lies"),
        pytest.param([], 10 * DRAIN_BODIES + 1, "161 bytes", id="a length that is refused unread"),
        pytest.param([b"x" * 50] * 9, None, "200 bytes", id="a body without end is not read to its end"),
    ],
)
async def test_a_body_beyond_the_limit_is_refused_with_its_size_and_the_limit(parts, length, said):
    with pytest.raises(RequestRefusedError) as caught:
        await read_body(request(parts, length=length), RULE, SHORTER)

    assert (caught.value.status, caught.value.code) == (413, "body_too_large")
    assert f"{said}, the limit is 10; {SHORTER}" in caught.value.message


async def test_a_body_that_is_only_somewhat_too_large_is_read_so_that_its_sender_hears_why():
    taken: list[bytes] = []

    def parts():
        for part in [b"x" * 50] * 3:
            taken.append(part)
            yield part

    with pytest.raises(RequestRefusedError, match="150 bytes"):
        await read_body(request(parts()), RULE, SHORTER)
    assert len(taken) == 3


async def test_a_sender_who_hangs_up_is_not_taken_for_the_end_of_the_body():
    with pytest.raises(RequestRefusedError) as caught:
        await read_body(request([b'{"a"'], then=GONE), RULE, SHORTER)

    assert (caught.value.status, caught.value.code) == (400, "hung_up")


async def test_a_body_that_does_not_arrive_is_given_up():
    never = asyncio.Event()

    async def receive():
        await never.wait()

    slow = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(RequestRefusedError) as caught:
        await read_body(slow, BodyRule(seconds=0.02), SHORTER)

    assert (caught.value.status, caught.value.code) == (408, "body_timeout")
    assert "within 0.02 s" in caught.value.message


async def test_of_the_room_for_bodies_no_caller_has_more_than_half_and_what_was_taken_is_given_back():
    room = BodyRoom(40)
    with room.held("loud") as loud, room.held("quiet") as quiet:
        for _ in range(2):
            await read_body(request((b"0123456789",)), RULE, SHORTER, loud)
        with pytest.raises(RequestRefusedError, match="bodies under way hold 20 bytes, your part") as refused:
            await read_body(request((b"0",)), RULE, SHORTER, loud)
        assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "1"})
        await read_body(request((b"0123456789",)), RULE, SHORTER, quiet)
    with room.held("loud") as again:
        await read_body(request((b"0123456789",)), RULE, SHORTER, again)


async def test_the_room_for_bodies_is_one_for_all():
    room = BodyRoom(20)
    with room.held("a") as a, room.held("b") as b, room.held("c") as c:
        await read_body(request((b"0123456789",)), RULE, SHORTER, a)
        await read_body(request((b"0123456789",)), RULE, SHORTER, b)
        with pytest.raises(RequestRefusedError, match="under way"):
            await read_body(request((b"0",)), RULE, SHORTER, c)
