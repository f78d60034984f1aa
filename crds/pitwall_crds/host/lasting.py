"""Keeps what works in the background going: what breaks is logged, and begun again after a pause that grows."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from pitwall_crds.host.backoff import Backoff

log = logging.getLogger(__name__)

AGAIN: Final = Backoff(first_seconds=0.5, longest_seconds=30.0)


async def lasting(what: str, begin: Callable[[], Awaitable[None]], again: Backoff = AGAIN) -> None:
    """Do this for ever, until it is cancelled; `what` is its name in the log. What went on for longer than any pause
    begins to count its failures anew."""
    failures = 0
    while True:
        began = time.monotonic()
        try:
            await begin()
        except Exception:
            log.exception("%s broke; it is begun again", what)
        failures = 1 if time.monotonic() - began > again.longest_seconds else failures + 1
        await asyncio.sleep(again.seconds(failures))
