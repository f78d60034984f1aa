"""Reads a request's body within a size and a time limit."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request

from pitwall_gateway.values.errors import RequestRefusedError

DRAIN_BODIES = 16
"""A body up to this many times the limit is read and thrown away, so that its sender can read the refusal."""

BODIES_BYTES: Final = 268_435_456
"""A quarter of the memory that a gateway has by the chart."""

Room = Callable[[int], None]
"""Makes room for so many bytes more, or raises RequestRefusedError (429)."""


@dataclass(frozen=True, slots=True)
class BodyRule:
    """How large a body may be, and how long it may take to arrive."""

    largest_bytes: int = 1_048_576
    seconds: float = 30.0


class BodyRoom:
    """The memory for bodies of requests that are under way, of which no caller has more than half."""

    def __init__(self, most: int = BODIES_BYTES) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    @contextmanager
    def held(self, caller: str) -> Iterator[Room]:
        """What makes room for so many bytes more, until the end of this request."""
        taken = 0

        def make(size: int) -> None:
            nonlocal taken
            part = self._most // 2
            if self._held[caller] + size > part or self._held.total() + size > self._most:
                raise _no_room(part)
            self._held[caller] += size
            taken += size

        try:
            yield make
        finally:
            self._held[caller] -= taken
            if not self._held[caller]:
                del self._held[caller]


async def read_body(request: Request, rule: BodyRule, shorter: str, room: Room = lambda _: None) -> bytes:
    """The body; raises RequestRefusedError: 413 if it is too large, with `shorter` as the remedy, 408 if it does not
    arrive, 400 if its sender is gone, 429 if there is no room for it."""
    try:
        async with asyncio.timeout(rule.seconds):
            return await _read(request, rule.largest_bytes, shorter, room)
    except TimeoutError:
        message = f"the body did not arrive within {rule.seconds:g} s; send it in one go"
        raise RequestRefusedError(408, message, code="body_timeout") from None
    except ClientDisconnect:
        raise RequestRefusedError(400, "the sender hung up before the body was complete", code="hung_up") from None


async def _read(request: Request, largest: int, shorter: str, room: Room) -> bytes:
    declared = int(request.headers.get("content-length", "0"))
    if declared > DRAIN_BODIES * largest:
        raise _too_large(declared, largest, shorter)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > DRAIN_BODIES * largest:
            raise _too_large(size, largest, shorter)
        if size <= largest:
            room(len(chunk))
            chunks.append(chunk)
    if size > largest:
        raise _too_large(size, largest, shorter)
    return b"".join(chunks)


def _no_room(part: int) -> RequestRefusedError:
    message = f"bodies under way hold {part} bytes, your part of the room for them; send fewer at a time"
    return RequestRefusedError(429, message, code="too_many_at_once", headers={"retry-after": "1"})


def _too_large(size: int, largest: int, shorter: str) -> RequestRefusedError:
    message = f"the body has {size} bytes, the limit is {largest}; {shorter}"
    return RequestRefusedError(413, message, code="body_too_large")
