"""Connects kopf to the controller: watch events become changes of the cache, and admission requests are answered.

Nothing else knows kopf. Only raw events are handled: no finalizers, annotations or stored progress, so that an object
which rests costs no write. There is no peering either: every replica watches, the Lease says which one acts.
"""

import asyncio
import dataclasses
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import kopf

from pitwall_crds.host.backoff import Backoff
from pitwall_crds.names import GROUP, VERSION
from pitwall_operator.cluster.controller.relist import OWN_SELECTOR
from pitwall_operator.cluster.webhook.admission import Review
from pitwall_operator.cluster.webhook.reviewing import Webhook, reviewing
from pitwall_operator.decision.permission.runnable import in_words
from pitwall_operator.kube.client import (
    BUDGETS,
    DEPLOYMENTS,
    PAGE_SIZE,
    ROLLOUTS,
    SERVICES,
    VARIANTS,
    Kind,
    Login,
    Object,
)

WATCHED: Final = (ROLLOUTS, VARIANTS, DEPLOYMENTS, SERVICES, BUDGETS)
WATCH_SECONDS: Final = 300
SLACK_SECONDS: Final = 15
BEAT_SECONDS: Final = 1.0
WATCHER: Final = "watcher for "
"""How kopf calls the tasks that watch."""
SILENT_SECONDS: Final = 60.0
"""A thread whose event loop has not come round for so long is stuck: it brings no news and answers no review."""
RECONNECTS: Final = Backoff(first_seconds=0.25, longest_seconds=4.0)
"""Between attempts to reach the API server again: few, and without end, however long it is away."""


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """What kopf is given.

    Attributes:
        namespaces: those to watch; none are all.
        changed: told of every object as it is.
        deleted: told of every object that is gone.
        review: asked before a resource is stored; told of what was stored before too, empty where nothing was.
        login: the API server and how to speak to it.
        webhook: None switches admission off.
        silence_seconds: a watch that brings nothing for so long is taken for lost, and opened anew.
    """

    namespaces: tuple[str, ...]
    changed: Callable[[Kind, Object], None]
    deleted: Callable[[Kind, Object], None]
    review: Callable[[Kind, str, Object, Object | None], Awaitable[Review]]
    login: Callable[[], Awaitable[Login]]
    webhook: Webhook | None = None
    silence_seconds: float = 70.0


class Watch(threading.Thread):
    """kopf in a thread and an event loop of its own: when it ends, it cancels every task of its loop."""

    def __init__(self, plan: WatchPlan) -> None:
        super().__init__(name="watch", daemon=True)
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._told_to_stop = threading.Event()
        self.ready = threading.Event()
        self.ended = asyncio.Event()
        self._failure = ""
        self._beat_at = float("inf")

    @property
    def trouble(self) -> str:
        """Why nothing is watched; empty if all is well, or nothing was begun yet."""
        silent = time.monotonic() - self._beat_at
        if self._failure or self._told_to_stop.is_set():
            return self._failure
        if self.ident is not None and not self.is_alive():
            return "the watches have ended"
        return f"the watches have not moved for {silent:.0f} s" if silent > SILENT_SECONDS else ""

    def run(self) -> None:
        """Watch until told to stop, or until kopf cannot go on."""
        try:
            asyncio.run(self._operate())
        except Exception as error:
            self._failure = self._failure or f"{type(error).__name__}: {error}"
        self._loop.call_soon_threadsafe(self.ended.set)

    def stop(self) -> None:
        """Let it end."""
        self._told_to_stop.set()

    async def _beat(self) -> None:
        """Say that the loop lives, and end it when a watch has ended: kopf goes on without, and nobody would see what
        is applied from then on. A definition that was deleted ends its watch, also where it was made anew."""
        watches = set[asyncio.Task[Any]]()
        while True:
            self._beat_at = time.monotonic()
            watches |= {task for task in asyncio.all_tasks() if task.get_name().startswith(WATCHER)}
            ended = [task for task in watches if task.done() and not task.cancelled()]
            if ended and not self._told_to_stop.is_set():
                self._failure = "; ".join(sorted(map(_last_words, ended)))
                self._told_to_stop.set()
            await asyncio.sleep(BEAT_SECONDS)

    async def _operate(self) -> None:
        plan = self._plan
        beating = asyncio.create_task(self._beat())
        await self._kopf(plan)
        beating.cancel()

    async def _kopf(self, plan: WatchPlan) -> None:
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(plan),
            standalone=True,
            clusterwide=not plan.namespaces,
            namespaces=plan.namespaces,
            stop_flag=self._told_to_stop,
            ready_flag=self.ready,
        )

    def _registry(self) -> kopf.OperatorRegistry:
        registry, plan = kopf.OperatorRegistry(), self._plan

        async def login(**_: Any) -> kopf.ConnectionInfo:
            return kopf.ConnectionInfo(**dataclasses.asdict(await plan.login()))

        kopf.on.login(registry=registry)(login)
        for kind in WATCHED:
            group, _, version = kind.api_version.rpartition("/")
            kopf.on.event(group, version, kind.plural, registry=registry, id=kind.plural)(self._news(kind))
        if plan.webhook is not None:
            for kind in (ROLLOUTS, VARIANTS):
                kopf.on.validate(GROUP, VERSION, kind.plural, registry=registry, id=kind.plural)(self._judge(kind))
        return registry

    def _news(self, kind: Kind) -> Any:
        async def news(event: Any, **_: Any) -> None:
            tell = self._plan.deleted if event["type"] == "DELETED" else self._plan.changed
            self._loop.call_soon_threadsafe(tell, kind, event["object"])

        return news

    def _judge(self, kind: Kind) -> Any:
        async def ask(operation: str, found: Object, old: Object | None) -> Review:
            return await self._plan.review(kind, operation, found, old)

        async def judge(body: Any, old: Any, operation: str, warnings: list[str], **_: Any) -> None:
            before = dict(old) if old is not None and operation == "UPDATE" else None
            asked = asyncio.run_coroutine_threadsafe(ask(operation, dict(body), before), self._loop)
            answer = await asyncio.wrap_future(asked)
            warnings.extend(answer.warnings)
            if answer.refusals:
                raise kopf.AdmissionError(in_words(answer.refusals), code=422)

        return judge


def _last_words(watch: asyncio.Task[Any]) -> str:
    error = watch.exception()
    why = f"{type(error).__name__}: {error}" if error else "without a word"
    return f"the {watch.get_name()} has ended ({why})"


class NoDiffs(kopf.DiffBaseStorage):
    """Handlers of raw events need no diffs: nothing is remembered of an object, and no copy of it is made for that."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:  # noqa: ARG002 – as kopf calls it
        """Nothing to compare."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002 – as kopf calls it
        """Nothing was remembered."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Remember nothing."""


def _settings(plan: WatchPlan) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = NoDiffs()
    settings.process.ultimate_exiting_timeout = None
    settings.scanning.disabled = True
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.client_timeout = WATCH_SECONDS + SLACK_SECONDS
    settings.watching.inactivity_timeout = plan.silence_seconds
    settings.watching.chunk_size = PAGE_SIZE
    settings.queueing.idle_timeout = 0.1
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = RECONNECTS
    for kind in (DEPLOYMENTS, SERVICES, BUDGETS):
        settings.watching.label_selectors[kind.plural] = OWN_SELECTOR
    if plan.webhook is not None:
        settings.admission.managed = None
        settings.admission.server = _server(plan.webhook)
    return settings


def _server(webhook: Webhook) -> Any:
    """What kopf takes for a server of reviews; its own bounds neither headers nor connections."""

    async def serve(answer: kopf.WebhookFn) -> AsyncIterator[kopf.WebhookClientConfig]:
        async def reviewer(review: dict[str, Any], path: str) -> Any:
            return await answer(cast(Any, review), webhook=cast(Any, path))

        async with reviewing(webhook, reviewer):
            yield kopf.WebhookClientConfig(url=f"https://localhost:{webhook.port}")
            await asyncio.Event().wait()

    return serve


def quiet() -> None:
    """kopf's own log: what goes wrong, not what goes on."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # it warns that signals are not its own
