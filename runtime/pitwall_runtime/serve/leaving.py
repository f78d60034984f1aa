"""Works on a request for as long as somebody waits for it: until its deadline, and until its client leaves."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from starlette.requests import Request

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import TooLateError

T = TypeVar("T")

_GRACE_SECONDS: Final = 0.25
"""A stage that ends at the deadline says better than we do what it was waiting for."""

_LONGEST_SECONDS: Final = 7 * 86_400.0


async def while_asked(request: Request, deadline: Deadline, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. If time is over or the client leaves, the deadline is given up and `work` canceled.

    The request's body must have been read. Raises TooLateError, or what `work` raises.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        limit = min(deadline.remaining(), _LONGEST_SECONDS) + _GRACE_SECONDS
        await asyncio.wait({working, leaving}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        told = _too_late(deadline)
        deadline.give_up()
        raise told
    finally:
        for task in (working, leaving):
            if task.cancel():
                with suppress(asyncio.CancelledError, Exception):
                    await task


def _too_late(deadline: Deadline) -> TooLateError:
    try:
        deadline.check()
    except TooLateError as error:
        return error
    return TooLateError("the asker has left before the answer was ready; what is prepared so far is kept")


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
