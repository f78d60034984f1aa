"""New URLs of the routes in, warm ones out: a pod answers a few recent questions before it answers users."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pitwall_crds.host.lasting import lasting
from pitwall_crds.host.logs import fields
from pitwall_crds.names import Arm, Header
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.routes import RouteTable
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.values.answer import Reply, VariantFailure

log = logging.getLogger(__name__)
LOOK_SECONDS: Final = 1.0
"""How often new URLs are looked for while nobody asks."""
AT_ONCE: Final = 2
"""Questions that a new pod answers side by side."""
ALONE_PART: Final = 1 / 4
"""Of the time that users would wait, what the only question has that is known."""
HEADERS: Final = {"content-type": "application/json", Header.ARM: Arm.SHADOW}

Send = Callable[[str, Call], Awaitable[Reply]]
"""A URL and a call in, its reply out; bounded in time, never raises."""


@dataclass(frozen=True, slots=True)
class WarmRule:
    """How many questions a new pod answers first (0: none), and how long users wait where nobody else can answer."""

    questions: int = 4
    wait_seconds: float = 20.0


class WarmUp:
    """Follows the routes. What is there before the first answer, at the gateway's start, counts as warm."""

    def __init__(self, routes: RouteTable, send: Send, recent: RecentQuestions, rule: WarmRule) -> None:
        self._routes = routes
        self._send = send
        self._recent = recent
        self._rule = rule
        self._since: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._follower: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look for new URLs also while nobody asks; needs a running event loop."""
        if self._rule.questions:
            self._follower = asyncio.create_task(lasting("the look for new pods", self._follow))

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [*self._tasks.values(), *([self._follower] if self._follower else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def urls(self, variant: str, arm: Arm) -> tuple[str, ...]:
        """Who may answer a user now: the warm URLs of the arm's pool, else of the variant's other pools. Where all are
        cold, the first that gets warm, or all when the longest wait is over."""
        self._look()
        routes = self._routes.current(time.monotonic())
        everybody = routes.urls(variant, arm)
        if not self._tasks or not everybody:
            return everybody
        if warm := routes.without(self._tasks.keys()).urls(variant, arm):
            return warm
        under_way = [self._tasks[url] for url in everybody]
        rest = self._rule.wait_seconds - (time.monotonic() - min(self._since[url] for url in everybody))
        if rest > 0:
            await asyncio.wait(under_way, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
        return tuple(url for url in everybody if url not in self._tasks) or everybody

    def _look(self) -> None:
        """Begin to warm what is new; a URL that left and came back is new."""
        now = time.monotonic()
        self._routes.current(now)
        bodies = self._recent.latest(self._rule.questions)
        for url in self._routes.take_new():
            if bodies and url not in self._tasks:
                self._since[url] = now
                self._tasks[url] = asyncio.create_task(self._warm(url, bodies))

    async def _warm(self, url: str, bodies: tuple[bytes, ...]) -> None:
        """Two questions at a time, in as much time as users would wait. A pod that fails one is as warm as it gets, and
        its failures are users' to count. For the last one that is missing nobody waits longer than for all others:
        who chose it might have chosen it slow."""
        began, places = self._since[url], asyncio.Semaphore(AT_ONCE)
        longest = self._rule.wait_seconds * (1 if len(bodies) > 1 else ALONE_PART)
        asked = [asyncio.create_task(self._ask(url, body, places)) for body in bodies]
        waiting = set(asked)
        try:
            while waiting:
                patience = time.monotonic() - began if len(waiting) == 1 < len(asked) else longest
                ended, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not ended or any(task.result() for task in ended):
                    break
            log.info("%s is warm after %.1f s", url, time.monotonic() - began)
        finally:
            del self._tasks[url], self._since[url]
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _ask(self, url: str, body: bytes, places: asyncio.Semaphore) -> bool:
        """Whether the pod failed this question, other than for want of its video."""
        async with places:
            ends = self._since[url] + self._rule.wait_seconds
            reply = await self._send(url, Call("warm-up", Arm.SHADOW, body, HEADERS, ends=ends))
        if not isinstance(reply, VariantFailure) or reply.video == "":
            return False
        log.warning("warm-up failed", extra=fields(url=url, cause=reply.detail))
        return True

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._look()
