"""Runs the demo's simulated users while it lasts, and keeps what they saw."""

import asyncio
import collections
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import httpx
from examples.demo.screen import Screen
from examples.demo.users import DemoExchange, drive

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant

SEED = 7
FIRST_QUESTION = "What is this film about?"
BASELINE_SECONDS = 6.0
LINGER_SECONDS = 4.0
PROBES = 30
SPARE = 0.4
"""Tasks per answering time of one question: with follow-ups and copies this fills about a third of two cores."""
MOST_TASKS_PER_SECOND = 40.0
"""With 60, two busy cores were full: 13 and 18 % of the questions of two runs failed."""
LEAST_TASKS_PER_SECOND = 5.0


def rate_for(seconds_per_answer: float) -> float:
    """Tasks per second that a machine takes with room to spare, if it needs this long for a question on its own."""
    return min(MOST_TASKS_PER_SECOND, max(LEAST_TASKS_PER_SECOND, SPARE / seconds_per_answer))


class DemoAudience:
    """Users from entering to leaving the context."""

    def __init__(self, gateway_url: str, film_uri: str, rate: float | None) -> None:
        """`rate` is in tasks per second; None takes what this machine answers with room to spare."""
        self.gateway_url, self.film_uri, self.rate = gateway_url, film_uri, rate
        self.exchanges: list[DemoExchange] = []
        self._stop = asyncio.Event()
        self._driving: asyncio.Task[collections.Counter[str]] | None = None

    async def first_question(self) -> None:
        """Questions before the users come: the first one about a film decodes it; more of them show how fast it is."""
        content = [
            {"type": "video_url", "video_url": {"url": self.film_uri}},
            {"type": "text", "text": FIRST_QUESTION},
        ]
        body = {"model": "pitwall", "messages": [{"role": "user", "content": content}]}
        async with httpx.AsyncClient(trust_env=False, timeout=300.0) as client:
            while True:
                answer = await client.post(f"{self.gateway_url}/v1/chat/completions", json=body)
                if answer.status_code not in (502, 503, 504):
                    break
                await asyncio.sleep(1.0)
            if answer.status_code != httpx.codes.OK:
                raise SystemExit(f"demo: the first question failed with {answer.status_code}: {answer.text}")
            if self.rate is None:
                took = [await self._timed(client, body) for _ in range(PROBES)]
                self.rate = rate_for(statistics.median(took))

    async def _timed(self, client: httpx.AsyncClient, body: Mapping[str, object]) -> float:
        started = time.perf_counter()
        await client.post(f"{self.gateway_url}/v1/chat/completions", json=body)
        return time.perf_counter() - started

    async def __aenter__(self) -> Self:
        assert self.rate is not None, "ask the first question before the users come"
        self._driving = asyncio.create_task(
            drive(
                self.gateway_url,
                self.film_uri,
                rate_per_second=self.rate,
                stop=self._stop,
                seed=SEED,
                on_answer=self.exchanges.append,
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        assert self._driving is not None
        await self._driving

    async def _wait(
        self,
        seconds: float,
        rollout: Callable[[], Rollout],
        variants: Callable[[], Sequence[SamplerVariant]],
        screen: Screen,
    ) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            screen.show(rollout(), variants())
            await asyncio.sleep(0.25)

    async def settle(
        self, rollout: Callable[[], Rollout], variants: Callable[[], Sequence[SamplerVariant]], screen: Screen
    ) -> None:
        """Some traffic before anything changes: the stable variant's history."""
        await self._wait(BASELINE_SECONDS, rollout, variants, screen)

    async def linger(
        self, rollout: Callable[[], Rollout], variants: Callable[[], Sequence[SamplerVariant]], screen: Screen
    ) -> None:
        """Some traffic after the end, to see that nobody is sent to a variant that is off."""
        await self._wait(LINGER_SECONDS, rollout, variants, screen)
