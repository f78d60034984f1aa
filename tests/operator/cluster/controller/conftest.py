"""Ports of the controller that the tests rule: the API server's lists, the flags, and turns that end as told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pitwall_flags.errors import FlagRejectedError
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.cluster.controller.controller import Controller
from pitwall_operator.cluster.controller.next_turns import Due
from pitwall_operator.decision.permission.runnable import Known
from pitwall_operator.kube.cache import Cache
from pitwall_operator.values.errors import KubeRefusedError, KubeUnreachableError


class FakeKube:
    """The API server's lists."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.down = False
        self.refused = 0
        self.forbidden: set[str] = set()

    async def pages(self, kind: Any, namespace: str = "", selector: str = "", *, heads: bool = False) -> Any:
        if kind.plural in self.forbidden:
            raise KubeRefusedError(f"{kind.plural} is forbidden: the user cannot list them")
        if self.down:
            self.refused += 1
            raise KubeUnreachableError("down")
        yield {"metadata": {"resourceVersion": "100"}, "items": self.items.get(kind.plural, [])}

    async def get(self, kind: Any, namespace: str, name: str) -> Any:
        return next(one for one in self.items[kind.plural] if one["metadata"]["name"] == name)


class FakeReconciler:
    """Turns that are counted, and end as told."""

    def __init__(self) -> None:
        self.resync_seconds = 600.0
        self.taken: Counter[tuple[str, str]] = Counter()
        self.running: Counter[tuple[str, str]] = Counter()
        self.most_at_once = 0
        self.outcomes: dict[tuple[str, str], list[Any]] = {}
        self.writes: dict[tuple[str, str], Callable[[], object]] = {}
        self.described: list[tuple[str, str]] = []
        self.told: list[tuple[str, str]] = []
        self.told_broken: list[tuple[tuple[str, str], str]] = []
        self.platform = self.claims = self.writer = self
        self.due = Due(self.resync_seconds)
        self.known = Known()
        self.drained: list[tuple[str, str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def settle(self) -> bool:
        return False

    async def take(self, key: tuple[str, str]) -> float | None:
        assert not self.running[key], "two turns of one rollout at once"
        self.running[key] += 1
        self.most_at_once = max(self.most_at_once, self.running.total())
        await self.open.wait()
        await asyncio.sleep(0)
        self.running[key] -= 1
        self.taken[key] += 1
        self.writes.get(key, lambda: None)()
        outcome = next(iter(self.outcomes.get(key, ())), 600.0)
        if self.outcomes.get(key):
            self.outcomes[key].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def tell_standstill(self, found: Any, words: str) -> None:
        self.told.append((found["metadata"]["name"], words))

    async def describe(self, key: tuple[str, str]) -> None:
        self.described.append(key)

    async def tell_broken(self, key: tuple[str, str], error: Exception) -> None:
        self.told_broken.append((key, str(error)))
        raise KubeUnreachableError("and that cannot be written either")

    def forget(self, kind: Any, key: tuple[str, str]) -> None:
        return

    def of(self, rollout: tuple[str, str]) -> "FakeReconciler":
        return self

    async def drain(self, variant: str, pool: str) -> None:
        self.drained.append((variant, str(pool)))


class FakeFlags:
    """The flag service's flags."""

    def __init__(self) -> None:
        self.records: list[FlagRecord] = []
        self.written: list[str] = []
        self.refused: set[str] = set()
        self.fault: Exception | None = None
        self.news: set[str] = set()
        self.own: set[str] = set()

    def wrote(self) -> frozenset[str]:
        own, self.own = frozenset(self.own), set()
        return own

    async def changed(self) -> frozenset[str]:
        if self.fault:
            raise self.fault
        news, self.news = frozenset(self.news), set()
        return news

    async def list(self) -> tuple[FlagRecord, ...]:
        if self.fault:
            raise self.fault
        return tuple(self.records)

    async def put(self, key: str, document: Any, *, expected_version: int, actor: str, reason: str) -> None:
        if key in self.refused:
            raise FlagRejectedError("403: another's")
        self.written.append(key)
        self.own.add(key)
        new = FlagRecord(key, document, expected_version + 1)
        self.records = [*(known for known in self.records if known.key != key), new]


class Silent:
    """Who hears everything and says nothing."""

    def turn(self, seconds: float, outcome: str) -> None:
        return

    def waiting(self, count: int) -> None:
        return

    def clear(self) -> None:
        return


class QueueWorld:
    """A controller over ports of the test's own."""

    def __init__(self) -> None:
        self.kube, self.reconciler, self.flags, self.cache = FakeKube(), FakeReconciler(), FakeFlags(), Cache()
        silent: Any = Silent()
        ports: tuple[Any, ...] = (self.kube, self.cache, self.flags, self.reconciler, silent, silent)
        self.controller = Controller(*ports, workers=4)
        self.leading, self.stopped = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.controller.lead(self.leading, self.stopped))
        try:
            yield
        finally:
            self.reconciler.open.set()
            self.stopped.set()
            await asyncio.wait_for(task, 60)

    @staticmethod
    def rollout(name: str, version: int = 1, variant: str = "aks", flag: str = "") -> dict[str, Any]:
        metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": str(version)}
        return {"metadata": metadata, "spec": {"flag": flag or name, "variantRef": {"name": variant}}}

    async def until(self, claim: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not claim():  # noqa: ASYNC110 – the claims are about the world, not about one event
                await asyncio.sleep(0.005)


@pytest.fixture
async def world() -> QueueWorld:
    """A controller without the lease, and nothing in the cluster."""
    return QueueWorld()
