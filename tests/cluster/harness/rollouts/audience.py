"""Simulates users who ask a gateway real questions about a real film, and keeps what each of them saw."""

import asyncio
import collections
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import httpx

from pitwall_crds.names import Header

QUESTIONS = (
    "a bicycle",
    "a car on the street",
    "people who wait",
    "a wheel",
    "a helmet",
    "a bus",
    "trees",
    "a traffic light",
)
MOST_IN_FLIGHT = 60
"""Beyond it users do not come: a queue that only grows would measure nothing."""
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question: the status, who answered, and what went wrong; `names_moments` tells an answer from a mere 200."""

    status: int
    variant: str = ""
    arm: str = ""
    fallback: str = ""
    names_moments: bool = False
    error: str = ""


def question(film: str, text: str, user: str = "") -> dict[str, Any]:
    """The body of an OpenAI chat completion."""
    content = [{"type": "text", "text": text}, {"type": "video_url", "video_url": {"url": film}}]
    return {"model": "pitwall", "messages": [{"role": "user", "content": content}], **({"user": user} if user else {})}


@dataclass
class Audience:
    """Users who come by chance at a rate while the context is open, each with one question and then a thumb."""

    gateway: str
    film: str
    rate: float
    api_key: str
    exchanges: list[Exchange] = field(default_factory=list)
    turned_away: int = 0
    lost_thumbs: int = 0

    def __post_init__(self) -> None:
        self._going = True
        self._thread = Thread(target=lambda: asyncio.run(self._come()), daemon=True)

    def __enter__(self) -> "Audience":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._going = False
        self._thread.join(TIMEOUT_SECONDS)

    def answered(self) -> collections.Counter[tuple[str, str]]:
        """How many were answered by each variant and arm."""
        return collections.Counter((one.variant, one.arm) for one in tuple(self.exchanges))

    def failures(self) -> Sequence[Exchange]:
        """Questions that got no answer."""
        return [one for one in tuple(self.exchanges) if one.status != httpx.codes.OK or not one.names_moments]

    async def _come(self) -> None:
        dice, visits = random.Random(), set[asyncio.Task[None]]()
        headers = {"authorization": f"Bearer {self.api_key}"}
        async with httpx.AsyncClient(
            base_url=self.gateway, headers=headers, trust_env=False, timeout=TIMEOUT_SECONDS
        ) as client:
            while self._going:
                await asyncio.sleep(dice.expovariate(self.rate))
                if len(visits) >= MOST_IN_FLIGHT:
                    self.turned_away += 1
                    continue
                visit = asyncio.create_task(
                    self._visit(client, f"user-{dice.getrandbits(64):x}", dice.choice(QUESTIONS))
                )
                visits.add(visit)
                visit.add_done_callback(visits.discard)
            await asyncio.gather(*visits)

    async def _visit(self, client: httpx.AsyncClient, user: str, text: str) -> None:
        try:
            answer = await client.post("/v1/chat/completions", json=question(self.film, text, user))
        except httpx.TransportError as error:
            self.exchanges.append(Exchange(0, error=f"{type(error).__name__}: {error}"))
            return
        exchange = _exchange(answer)
        self.exchanges.append(exchange)
        thumb = {
            "answer_id": answer.headers.get(Header.ANSWER_ID),
            "session": user,
            "thumbs": "up" if exchange.names_moments else "down",
        }
        await self._vote(client, thumb)

    async def _vote(self, client: httpx.AsyncClient, thumb: Mapping[str, str | None]) -> None:
        try:
            taken = await client.post("/v1/feedback", json=dict(thumb))
        except httpx.TransportError:
            self.lost_thumbs += 1
        else:
            self.lost_thumbs += not taken.is_success


def _exchange(answer: httpx.Response) -> Exchange:
    if answer.status_code != httpx.codes.OK:
        return Exchange(answer.status_code, error=answer.text[:300])
    told = {name: answer.headers.get(header, "") for name, header in _TOLD.items()}
    return Exchange(answer.status_code, **told, names_moments=bool(answer.json()["pitwall"]["moments"]))


_TOLD = {"variant": Header.VARIANT, "arm": Header.ARM, "fallback": Header.FALLBACK}
