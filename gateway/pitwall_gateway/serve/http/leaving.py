"""Works on a request for as long as its client waits for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from pitwall_gateway.values.errors import RequestRefusedError

T = TypeVar("T")
CLIENT_CLOSED_REQUEST = 499
"""Nobody reads it; the metrics do (nginx's number)."""


async def while_wanted(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is canceled when the client leaves. The request's body must have been read.

    Raises RequestRefusedError when the client has left, or what `work` raises.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise RequestRefusedError(CLIENT_CLOSED_REQUEST, "the caller left before the answer", code="left")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
