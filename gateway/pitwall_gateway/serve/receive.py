"""Reads a request's body within a size and a time limit."""

import asyncio
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from pitwall_gateway.values.errors import RequestRefusedError

DRAIN_BODIES = 16
"""A body up to this many times the limit is read and thrown away, so that its sender can read the refusal."""


@dataclass(frozen=True, slots=True)
class BodyRule:
    """How large a body may be, and how long it may take to arrive."""

    largest_bytes: int = 1_048_576
    seconds: float = 30.0


async def read_body(request: Request, rule: BodyRule, shorter: str) -> bytes:
    """The body; raises RequestRefusedError: 413 if it is too large, with `shorter` as the remedy, 408 if it does not
    arrive, 400 if its sender is gone."""
    try:
        async with asyncio.timeout(rule.seconds):
            return await _read(request, rule.largest_bytes, shorter)
    except TimeoutError:
        message = f"the body did not arrive within {rule.seconds:g} s; send it in one go"
        raise RequestRefusedError(408, message, code="body_timeout") from None
    except ClientDisconnect:
        raise RequestRefusedError(400, "the sender hung up before the body was complete", code="hung_up") from None


async def _read(request: Request, largest: int, shorter: str) -> bytes:
    declared = int(request.headers.get("content-length", "0"))
    if declared > DRAIN_BODIES * largest:
        raise _too_large(declared, largest, shorter)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > DRAIN_BODIES * largest:
            raise _too_large(size, largest, shorter)
        if size <= largest:
            chunks.append(chunk)
    if size > largest:
        raise _too_large(size, largest, shorter)
    return b"".join(chunks)


def _too_large(size: int, largest: int, shorter: str) -> RequestRefusedError:
    message = f"the body has {size} bytes, the limit is {largest}; {shorter}"
    return RequestRefusedError(413, message, code="body_too_large")
