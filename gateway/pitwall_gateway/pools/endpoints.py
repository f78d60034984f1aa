"""Keeps the routes file up to date in a cluster, by watching the EndpointSlices of the runtime pods."""

import asyncio
import contextlib
import importlib
import json
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, TypeAdapter

from pitwall_crds.host.backoff import Backoff
from pitwall_crds.host.files import write_whole
from pitwall_gateway.pools.slices import SELECTOR, Slice, Slices, variants
from pitwall_gateway.values.errors import WatchError, WatchExpiredError

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from kubernetes.aio.client import DiscoveryV1Api

log = logging.getLogger(__name__)

BACKOFF: Final = Backoff(first_seconds=0.5, longest_seconds=15.0, spread=(0.5, 1.0))


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done."""

    list_seconds: float = 15.0
    """The limit of one list, and of the beginning of a watch."""
    watch_seconds: int = 40
    """The server ends a watch after this time and a new one resumes it: so a silently lost one is noticed."""
    slack_seconds: float = 5.0
    """How much later than that the client ends it."""
    backoff: Backoff = BACKOFF
    write_seconds: float = 0.05
    """The shortest time between two writes of the file: a hundred pods that become ready are a few writes."""


class _Change(BaseModel):
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Slice


class _Failure(BaseModel):
    class Status(BaseModel):
        code: int = 0
        message: str = ""

    type: Literal["ERROR"]
    object: Status


_EVENT: Final[TypeAdapter[_Change | _Failure]] = TypeAdapter(_Change | _Failure)


class EndpointFollower:
    """Keeps the routes file equal to the namespace's ready runtime pods, as far as the API server can be asked.

    While it cannot, the file stays as it is: pods that are gone refuse connections, and the gateway passes them over.
    """

    def __init__(self, namespace: str, routes: Path, pace: Pace | None = None) -> None:
        self._namespace = namespace
        self._file = RoutesFile(routes)
        self._pace = pace or Pace()
        self._slices: dict[str, Slice] = {}
        self._version = ""
        self._failures = 0
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._write())]

    async def close(self) -> None:
        """Stop following; the file stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self) -> None:
        """List and watch for ever. Every failure is logged, waited out, and followed by a new connection and a list."""
        while True:
            try:
                async with connected() as api:
                    while True:
                        await self._resume(api)
            except Exception as error:
                self._version = ""
                await asyncio.sleep(self._failed(error))

    async def _resume(self, api: "DiscoveryV1Api") -> None:
        """Go on from the last known version, or from a list when there is none."""
        is_new = not self._version
        try:
            if is_new:
                await self._list(api)
            await self._watch(api)
        except WatchExpiredError:
            if is_new:
                raise  # what was listed a moment ago is gone already: another list at once would not help
            self._version = ""

    async def _list(self, api: "DiscoveryV1Api") -> None:
        async with within(self._pace.list_seconds, "the API server did not answer"):
            response = await api.list_namespaced_endpoint_slice_without_preload_content(
                self._namespace, label_selector=SELECTOR
            )
            async with response:
                await self._refuse_unless_ok(response)
                listed = Slices.model_validate_json(await response.read())
        self._slices = {part.metadata.name: part for part in listed.items}
        self._version = listed.metadata.resource_version
        self._changed.set()

    async def _watch(self, api: "DiscoveryV1Api") -> None:
        """Take the changes in until the server ends the watch."""
        seconds = self._pace.watch_seconds
        async with contextlib.AsyncExitStack() as stack:
            async with within(self._pace.list_seconds, "the API server did not begin a watch"):
                response = await api.list_namespaced_endpoint_slice_without_preload_content(
                    self._namespace,
                    label_selector=SELECTOR,
                    watch=True,
                    allow_watch_bookmarks=True,
                    resource_version=self._version,
                    timeout_seconds=seconds,
                )
                await stack.enter_async_context(response)
                await self._refuse_unless_ok(response)
            self._recovered()
            async with within(seconds + self._pace.slack_seconds, "the watch did not end"):
                async for line in response.content:
                    self._take(_EVENT.validate_json(line))

    def _take(self, event: _Change | _Failure) -> None:
        if isinstance(event, _Failure):
            if event.object.code == HTTPStatus.GONE:
                raise WatchExpiredError(event.object.message)
            raise WatchError(f"the watch ended: {event.object.code} {event.object.message}")
        self._version = event.object.metadata.resource_version
        if event.type == "BOOKMARK":
            return
        if event.type == "DELETED":
            self._slices.pop(event.object.metadata.name, None)
        else:
            self._slices[event.object.metadata.name] = event.object
        self._changed.set()

    async def _refuse_unless_ok(self, response: "ClientResponse") -> None:
        if response.status == HTTPStatus.OK:
            return
        text = (await response.text())[:300]
        if response.status == HTTPStatus.GONE:
            raise WatchExpiredError(text)
        if response.status == HTTPStatus.FORBIDDEN:
            raise WatchError(
                f"this service account may not read EndpointSlices in namespace {self._namespace}; "
                f"bind it to a Role with get, list and watch on endpointslices.discovery.k8s.io ({text})"
            )
        raise WatchError(f"{response.status} {text}")

    async def _write(self) -> None:
        """Write the file after every change, in a thread: a slow disk holds up nobody."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await asyncio.to_thread(self._file.write, tuple(self._slices.values()))
            except Exception as error:  # whatever it is, later changes must be written
                told = None if isinstance(error, OSError) else error
                log.warning("routes file: %s; the gateway keeps the last valid routes", error, exc_info=told)
                self._changed.set()
                await asyncio.sleep(self._pace.backoff.first_seconds)
            await asyncio.sleep(self._pace.write_seconds)

    def _failed(self, error: Exception) -> float:
        """Log the first failure of an outage; how long to wait before the next attempt."""
        if self._failures == 0:
            words = str(error) or type(error).__name__
            log.warning("EndpointSlices of %s: %s; keeping the last known routes", self._namespace, words)
        self._failures += 1
        return self._pace.backoff.seconds(self._failures)

    def _recovered(self) -> None:
        if self._failures:
            log.warning("EndpointSlices of %s: followed again", self._namespace)
        self._failures = 0


class RoutesFile:
    """The gateway's routes file, replaced in one step and only when its content changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = ""

    def write(self, slices: tuple[Slice, ...]) -> None:
        """Make the file say where these slices' pods are. Raises OSError."""
        text = json.dumps({"variants": variants(slices)})
        if text == self._written:
            return
        write_whole(self._path, text)
        self._written = text


@contextlib.asynccontextmanager
async def within(seconds: float, words: str) -> AsyncIterator[None]:
    """Raises WatchError in these words once it takes longer: a silent loss is told as plainly as a loud one."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise WatchError(f"{words} within {seconds:g} s; the connection is taken for lost") from None


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator["DiscoveryV1Api"]:
    """A client of the API server that KUBECONFIG names, else of the cluster that this pod runs in."""
    client, config = await asyncio.to_thread(_import)
    configuration = client.Configuration()
    if not os.environ.get("KUBECONFIG") and config.incluster_config.SERVICE_HOST_ENV_NAME in os.environ:
        config.load_incluster_config(client_configuration=configuration)
    else:
        # Named here, because the library remembers the variable from when it was first imported.
        await config.load_kube_config(os.environ.get("KUBECONFIG") or None, client_configuration=configuration)
    api_client = await asyncio.to_thread(client.ApiClient, configuration)
    try:
        yield client.DiscoveryV1Api(api_client)
    finally:
        await api_client.close()


def _import() -> tuple[Any, Any]:
    """The client library: a second of work that only a gateway in a cluster pays."""
    return importlib.import_module("kubernetes.aio.client"), importlib.import_module("kubernetes.aio.config")
