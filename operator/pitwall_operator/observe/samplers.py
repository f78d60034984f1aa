"""Asks a variant's pods which samplers their image has and how the served one does."""

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
MOST_BYTES: Final = 2 << 20
"""A pod is somebody else's image: it may say anything, at any length."""


@dataclass(slots=True)
class SamplerReader:
    """Asks each variant seldom; one that does not answer is asked again next time, and nothing is known meanwhile."""

    client: httpx.AsyncClient
    every_seconds: float = EVERY_SECONDS
    clock: Callable[[], float] = time.monotonic
    _asked_at: dict[Hashable, float] = field(default_factory=dict)

    async def ask(self, variant: Hashable, url: str) -> SamplersSaid | None:
        """What the pods at `url` say; None where they were asked lately, or say nothing that can be read."""
        now = self.clock()
        if now - self._asked_at.get(variant, float("-inf")) < self.every_seconds:
            return None
        self._asked_at[variant] = now
        try:
            return SamplersSaid.model_validate_json(await self._body(f"{url}/v1/samplers"))
        except (httpx.HTTPError, httpx.InvalidURL, ValidationError, ValueError) as error:
            log.info("%s/v1/samplers cannot be read: %s", url, error or type(error).__name__)
            return None

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
