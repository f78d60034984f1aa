"""Asks a variant's pods which samplers their image has and how the served one does.

A pod is somebody else's image: it may say anything, at any length, and as slowly as it likes. So an exchange has one
deadline, and the pods of one namespace cannot keep those of another from being asked.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

from pitwall_crds.reading.faults import read_body
from pitwall_operator.observe import bounded_exchange
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.samplers_said import SamplersSaid

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 2.0
"""Of a whole exchange."""
EVERY_SECONDS: Final = 30.0
MOST_AT_ONCE: Final = 2
"""Names are looked up in the few threads that the API server's client needs too: a thousand variants whose names
resolve slowly must not keep the operator from its lease."""
MOST_OF_ONE: Final = 1
"""Of the pods of one namespace."""
LOOK_UP_SECONDS: Final = 10.0
"""A look-up that timed out may keep its thread for so long."""
MOST_BYTES: Final = 2 << 20


@dataclass(slots=True)
class SamplerReader:
    """Asks each variant seldom; one that does not answer is asked again next time, and nothing is known meanwhile."""

    client: httpx.AsyncClient
    every_seconds: float = EVERY_SECONDS
    clock: Callable[[], float] = time.monotonic
    _asked_at: dict[Key, float] = field(default_factory=dict)
    _under_way: Counter[str] = field(default_factory=Counter)

    async def ask(self, variant: Key, url: str) -> SamplersSaid | None:
        """What the pods at `url` say; None where they were asked lately, or say nothing that can be read, or while
        others are asked."""
        now, namespace = self.clock(), variant[0]
        if now - self._asked_at.get(variant, float("-inf")) < self.every_seconds or self._is_full(namespace):
            return None
        self._asked_at[variant] = now
        self._under_way[namespace] += 1
        held_seconds = 0.0
        try:
            return read_body(SamplersSaid, await self._said(f"{url}/v1/samplers"))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            held_seconds = LOOK_UP_SECONDS if isinstance(error, httpx.ConnectTimeout) else 0.0
            log.info("%s/v1/samplers cannot be read: %s", url, error or type(error).__name__)
            return None
        finally:
            if held_seconds:
                asyncio.get_running_loop().call_later(held_seconds, self._done, namespace)
            else:
                self._done(namespace)

    def _is_full(self, namespace: str) -> bool:
        return self._under_way[namespace] >= MOST_OF_ONE or self._under_way.total() >= MOST_AT_ONCE

    def _done(self, namespace: str) -> None:
        self._under_way[namespace] -= 1
        self._under_way += Counter()  # those that are over are not counted any more

    async def _said(self, url: str) -> bytes:
        return await bounded_exchange.body(self.client, url, seconds=TIMEOUT_SECONDS, most_bytes=MOST_BYTES)
