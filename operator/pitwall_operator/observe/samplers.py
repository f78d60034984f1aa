"""Asks a variant's pods which samplers their image has and how the served one does."""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

import httpx
from pydantic import ValidationError

from pitwall_operator.values.samplers_said import SamplersSaid

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 2.0
EVERY_SECONDS: Final = 30.0
MOST_AT_ONCE: Final = 2
"""Names are looked up in the few threads that the API server's client needs too: a thousand variants whose names
resolve slowly must not keep the operator from its lease."""
LOOK_UP_SECONDS: Final = 10.0
"""A look-up that timed out may keep its thread for so long."""
MOST_BYTES: Final = 2 << 20
"""A pod is somebody else's image: it may say anything, at any length."""


@dataclass(slots=True)
class SamplerReader:
    """Asks each variant seldom; one that does not answer is asked again next time, and nothing is known meanwhile."""

    client: httpx.AsyncClient
    every_seconds: float = EVERY_SECONDS
    clock: Callable[[], float] = time.monotonic
    _asked_at: dict[Hashable, float] = field(default_factory=dict)
    _under_way: int = 0

    async def ask(self, variant: Hashable, url: str) -> SamplersSaid | None:
        """What the pods at `url` say; None where they were asked lately, or say nothing that can be read, or while
        others are asked."""
        now = self.clock()
        if self._under_way >= MOST_AT_ONCE or now - self._asked_at.get(variant, float("-inf")) < self.every_seconds:
            return None
        self._asked_at[variant] = now
        self._under_way += 1
        held_seconds = 0.0
        try:
            return SamplersSaid.model_validate_json(await self._body(f"{url}/v1/samplers"))
        except (httpx.HTTPError, httpx.InvalidURL, ValidationError, ValueError) as error:
            held_seconds = LOOK_UP_SECONDS if isinstance(error, httpx.ConnectTimeout) else 0.0
            log.info("%s/v1/samplers cannot be read: %s", url, error or type(error).__name__)
            return None
        finally:
            if held_seconds:
                asyncio.get_running_loop().call_later(held_seconds, self._done)
            else:
                self._done()

    def _done(self) -> None:
        self._under_way -= 1

    async def _body(self, url: str) -> bytes:
        """At most MOST_BYTES. Raises ValueError where there are more."""
        body = bytearray()
        async with self.client.stream("GET", url, timeout=TIMEOUT_SECONDS, follow_redirects=False) as response:
            response.raise_for_status()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise ValueError(f"more than {MOST_BYTES} bytes")
        return bytes(body)
