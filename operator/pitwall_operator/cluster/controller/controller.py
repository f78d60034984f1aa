"""Works through the queue of rollouts: so many at once, and again later where one fails.

Every replica keeps the cache; only the one that holds the Lease reconciles. Knows neither kopf nor HTTP.
"""

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_operator.cluster.controller.flag_news import FLAG_NEWS, FlagNews
from pitwall_operator.cluster.controller.reconcile import Reconciler
from pitwall_operator.cluster.controller.relist import Relist, named
from pitwall_operator.cluster.controller.sweep import Sweep
from pitwall_operator.cluster.controller.work_queue import WorkQueue
from pitwall_operator.cluster.recent_flags import RecentFlags
from pitwall_operator.cluster.rivals import claim
from pitwall_operator.cluster.tasks import BackgroundTasks, first_of
from pitwall_operator.kube.cache import OWNED, Cache, key_of, version_of
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS, Kind, Kube, Object
from pitwall_operator.observe.reader import Reader
from pitwall_operator.turn.one_by_one import OneByOne
from pitwall_operator.values.errors import (
    KubeError,
    KubeRefusedError,
    KubeUnreachableError,
    OvertakenError,
    TurnFailedError,
)
from pitwall_operator.values.object_key import Key

log = logging.getLogger(__name__)

WORKERS: Final = 16
FIRST_SPREAD: Final = 0.005
"""Seconds between the first turns of rollouts that rest, after a replica began to lead."""
SWEEP: Final = "sweep"
COMPARISON: Final = "comparison"
GRACE_SECONDS: Final = 8.0
HANGING_SECONDS: Final = 120.0
"""A round of the sweep or of the comparison that takes so much longer than its pause does not come to an end."""
LONE: Final = "~"
"""Before the name of a variant in the queue; no object's name has it."""


class Measures(Protocol):
    """Where the controller tells how it gets on."""

    def turn(self, seconds: float, outcome: str) -> None:
        """One turn was taken."""

    def waiting(self, count: int) -> None:
        """So many rollouts are known to the queue."""


@dataclass(slots=True)
class Controller:
    """The work queue over the cache."""

    kube: Kube
    cache: Cache
    flags: RecentFlags
    reconciler: Reconciler
    reader: Reader
    measures: Measures
    namespaces: tuple[str, ...] = ()
    workers: int = WORKERS
    queue: WorkQueue = field(default_factory=lambda: WorkQueue(time.monotonic))
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    each: OneByOne = field(default_factory=OneByOne)
    leading: bool = field(default=False, init=False)
    refused: str = field(default="", init=False)
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _sweep_soon: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _relist: Relist = field(init=False)

    def __post_init__(self) -> None:
        self._relist = Relist(self.kube, self.cache, self.namespaces, self.each, self.changed, self._gone)

    # --- news ---

    def changed(self, kind: Kind, found: Object) -> None:
        """An object is now so."""
        known = self.cache.get(kind, key_of(found))
        before = self.cache.concerned(kind, known) if known is not None else frozenset()
        claimed = claim(self.cache, key_of(found)) if kind is ROLLOUTS else None
        if self.cache.put(kind, found):
            if kind is ROLLOUTS and known is not None and known["metadata"].get("uid") != found["metadata"].get("uid"):
                self._sweep_soon.set()  # one that was deleted and made anew meanwhile may have left its flag
            edited = kind in (ROLLOUTS, VARIANTS) and _generation(known) != _generation(found)
            # Whatever changes no claim is no news for a rollout's rivals.
            same = claimed is not None and claim(self.cache, key_of(found)) == claimed
            news = frozenset({key_of(found)}) if same else before | self.cache.concerned(kind, found)
            self._wake(kind, found, news, edited=edited)

    def deleted(self, kind: Kind, found: Object) -> None:
        """An object is gone."""
        known = self.cache.drop(kind, key_of(found), version_of(found))
        if known is not None:
            self._gone(kind, known)
            if kind is ROLLOUTS:
                self._sweep_soon.set()
            if kind in OWNED:
                self.reconciler.platform.forget(kind, key_of(found))

    def _gone(self, kind: Kind, known: Object) -> None:
        self._wake(kind, known, self.cache.concerned(kind, known))

    def _wake(self, kind: Kind, found: Object, keys: frozenset[Key], *, edited: bool = False) -> None:
        if not self.leading:
            return
        for key in keys:
            self.queue.wake(key, edited=edited)
        if kind is VARIANTS and not keys:
            namespace, name = key_of(found)
            self.queue.wake((namespace, f"{LONE}{name}"))
        self._woken.set()

    # --- leading ---

    async def lead(self, leading: asyncio.Event, stopped: asyncio.Event) -> None:
        """Take turns whenever the lease is held, until told to stop."""
        while not stopped.is_set():
            if await first_of(leading.wait(), stopped.wait()):
                await self._lead_while_leased(leading, stopped)

    async def _lead_while_leased(self, leading: asyncio.Event, stopped: asyncio.Event) -> None:
        """From taking the lease over to losing it."""
        try:
            await self.reconciler.claims.settle()
            await self._relist.list_all()
        except KubeError as error:
            log.warning("cannot lead yet: %s", error)
            if isinstance(error, KubeRefusedError):
                await self.tell_standstill(str(error))
            await asyncio.sleep(1.0)
            return
        self.refused = ""
        self.leading = True
        self.wake_all()
        over = asyncio.Event()
        news = FlagNews(self.flags, self.cache, self.reconciler.due, partial(self._wake, ROLLOUTS, {}), self.background)
        rounds = {f"worker {number}": self._work for number in range(self.workers)} | {
            SWEEP: self._sweep, COMPARISON: self._audit, FLAG_NEWS: news.keep,
        }  # fmt: skip
        tasks = [
            asyncio.create_task(self.background.keep(name, partial(begin, over), over))
            for name, begin in rounds.items()
        ]
        try:
            while leading.is_set() and not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), 0.2)
        finally:
            self.leading = False
            over.set()
            self._woken.set()
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.queue.clear()
            self.reader.clear()

    async def tell_standstill(self, words: str) -> None:
        """An operator that may not do what it needs to says so: to probes, and once on every Rollout that it sees."""
        if words == self.refused:
            return
        self.refused = words
        try:
            for namespace in self.namespaces or ("",):
                async for page in self._relist.pages(ROLLOUTS, namespace):
                    for found in page["items"]:
                        with (
                            self.each.about(f"Rollout {named(found)}", but=(KubeUnreachableError,)),
                            contextlib.suppress(OvertakenError),
                        ):
                            await self.reconciler.writer.tell_standstill(found, words)
        except KubeError as also:
            log.warning("no Rollout could be told so: %s", also)

    def wake_all(self) -> None:
        """Those that move first; those that rest one after the other."""
        resting = 0
        for key, found in self.cache.objects[ROLLOUTS].items():
            status = found.get("status")
            moving = not isinstance(status, dict) or not status or bool(status.get("candidateVariant"))
            resting += not moving
            self.queue.wake(key, 0.0 if moving else resting * FIRST_SPREAD)
        for namespace, name in self.cache.objects[VARIANTS]:
            if not self.cache.rollouts_of_variant((namespace, name)):
                resting += 1
                self.queue.wake((namespace, f"{LONE}{name}"), resting * FIRST_SPREAD)
        self._woken.set()

    # --- work ---

    async def _work(self, over: asyncio.Event) -> None:
        while not over.is_set():
            key = self.queue.take()
            if key is None:
                self._woken.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), min(1.0, self.queue.wait_seconds()))
                continue
            await self._one(key)

    async def _one(self, key: Key) -> None:
        """One turn; whatever happens in it, the queue goes on."""
        started, outcome = time.monotonic(), "done"
        try:
            await self._turn(key)
        except OvertakenError as error:
            outcome = "overtaken"
            log.debug("%s/%s is taken again: %s", *key, error)
            self.queue.done(key, 0.0)
        except (
            TurnFailedError,
            KubeError,
            FlagsUnreachableError,
            FlagRejectedError,
            FlagConflictError,
            OSError,
        ) as error:
            outcome = "failed"
            log.warning("%s/%s: %s; again in %.1f s", *key, error, self.queue.failed(key))
        except Exception as error:  # the queue must outlive whatever one turn meets
            outcome = "broken"
            log.exception("%s/%s: this turn broke; again in %.1f s", *key, self.queue.failed(key))
            await self._tell_broken(key, error)
        self.measures.turn(time.monotonic() - started, outcome)
        self.measures.waiting(len(self.queue))

    async def _tell_broken(self, key: Key, error: Exception) -> None:
        """Whoever looks at the object sees why nothing moves; where even that cannot be written, the log has it."""
        try:
            await self.reconciler.writer.tell_broken(key, error)
        except Exception:  # it was only to be told
            log.exception("%s/%s: its condition could not be written", *key)

    async def _turn(self, key: Key) -> None:
        namespace, name = key
        if name.startswith(LONE):
            await self.reconciler.describe((namespace, name.removeprefix(LONE)))
            self.queue.forget(key)
            return
        known, claimed = self.cache.get(ROLLOUTS, key), claim(self.cache, key)
        before = self.cache.concerned(ROLLOUTS, known) if known is not None else frozenset()
        try:
            again = await self.reconciler.take(key)
        finally:  # what a turn writes itself is in the cache before a watch tells of it
            now = self.cache.get(ROLLOUTS, key)
            if now is not None and claim(self.cache, key) != claimed:
                self._wake(ROLLOUTS, now, (before | self.cache.concerned(ROLLOUTS, now)) - {key})
        if again is None:
            self.queue.forget(key)
            self._sweep_soon.set()
        else:
            self.queue.done(key, again)

    # --- what no event tells ---

    async def _sweep(self, over: asyncio.Event) -> None:
        """Bring what deleted rollouts left to rest: at once when one was deleted, and now and then in any case."""
        reconciler, prefixes = self.reconciler, self.reconciler.known.prefixes
        sweep = Sweep(self.cache, self.flags, reconciler.platform.of, self._watches, self.each, prefixes)
        while not over.is_set():
            self._sweep_soon.clear()
            try:
                again = self.reconciler.resync_seconds if await sweep.once() else 2.0
            except (FlagsUnreachableError, FlagRejectedError, OSError) as error:
                log.warning("flags of deleted rollouts could not be brought to rest: %s", error)
                again = 2.0
            self.background.alive(SWEEP, again + HANGING_SECONDS)
            await first_of(over.wait(), self._sweep_soon.wait(), seconds=again)

    def _watches(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces

    async def _audit(self, over: asyncio.Event) -> None:
        """Find what the watches missed, now and then, by the names and versions of all objects."""
        while not over.is_set():
            pause = self.reconciler.resync_seconds * random.uniform(0.9, 1.1)  # noqa: S311 – no secret
            self.background.alive(COMPARISON, pause + HANGING_SECONDS)
            if await first_of(over.wait(), seconds=pause):
                return
            try:
                await self._relist.compare()
            except KubeError as error:
                log.warning("the cache could not be compared with the cluster: %s", error)


def _generation(found: Object | None) -> int:
    """Which spec an object has; its status changes no generation."""
    return int(found["metadata"].get("generation", 0)) if found is not None else 0
