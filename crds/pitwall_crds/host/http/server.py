"""Serves an ASGI application on a given socket, within the limits of every server, and ends it gracefully.

On loopback it answers to this machine alone, unless it asks who somebody is.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import uvicorn

from pitwall_crds.host.http.connection_limits import connections_allowed
from pitwall_crds.host.http.local import for_this_machine
from pitwall_crds.host.http.tls import GreetsWithTls
from pitwall_crds.host.http.upgrade import IgnoresUpgrades

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class GracefulServer(uvicorn.Server):
    """Ends on these signals by finishing what is under way; the process then goes on, where uvicorn would kill it."""

    def __init__(self, config: uvicorn.Config, *, signals: Sequence[signal.Signals] = STOP_SIGNALS) -> None:
        super().__init__(config)
        self._signals = signals

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to the signals while serving; without any, whoever made the server sets `should_exit`."""
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in self._signals:
                loop.remove_signal_handler(number)


@dataclass(frozen=True, slots=True)
class SecondApp:
    """An ASGI application and the socket on which it is served."""

    app: Any
    listener: socket.socket


def serve(
    app: Any,
    listener: socket.socket,
    *,
    grace_seconds: float,
    beside: Sequence[SecondApp] = (),
    authenticates: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the answers under way, for at most the grace time. What is served
    beside has no lifespan of its own, and ends when the application has. `authenticates`: the application itself
    judges who may ask."""
    site = SecondApp(app if authenticates else for_this_machine(app, listener), listener)
    asyncio.run(_serve(site, beside, grace_seconds))


def guarded_http(context: ssl.SSLContext | None = None) -> type[asyncio.Protocol]:
    """The protocol of every server of ours: within its limits, and no more connections than the system has files. With
    a context it speaks TLS."""
    allowed = replace(IgnoresUpgrades.limits, total=connections_allowed(IgnoresUpgrades.limits.total))
    guarded = type("Guarded", (IgnoresUpgrades,), {"limits": allowed})
    if context is None:
        return guarded
    return type("GuardedTls", (GreetsWithTls,), {"context": context, "guarded": guarded})


class SideServer:
    """Serves an application in the running event loop, beside what else the process does. It has no lifespan."""

    def __init__(
        self, app: Any, listener: socket.socket, *, context: ssl.SSLContext | None = None, grace_seconds: float = 1.0
    ) -> None:
        app = app if context else for_this_machine(app, listener)  # no other site's page has our certificate
        self._server = GracefulServer(_config(app, grace_seconds, lifespan="off", context=context), signals=())
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def end(self) -> None:
        """Finish the answers under way, for at most the grace time, and free the port."""
        self._server.should_exit = True
        await self._serving


class ThreadServer:
    """The same in a thread and an event loop of its own, for a process that has none."""

    def __init__(self, app: Any, listener: socket.socket) -> None:
        config = _config(for_this_machine(app, listener), 1.0, lifespan="off")
        self._server = GracefulServer(config, signals=())
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="http", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Free the port."""
        self._server.should_exit = True
        self._thread.join()


async def _serve(site: SecondApp, beside: Sequence[SecondApp], grace_seconds: float) -> None:
    servers = [SideServer(each.app, each.listener, grace_seconds=grace_seconds) for each in beside]
    try:
        await GracefulServer(_config(site.app, grace_seconds, lifespan="on")).serve(sockets=[site.listener])
    finally:
        await asyncio.gather(*(server.end() for server in servers))


def _config(
    app: Any, grace_seconds: float, *, lifespan: Literal["on", "off"], context: ssl.SSLContext | None = None
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=guarded_http(context),
        log_config=None,  # its lines look like all others of the process
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan=lifespan,
        timeout_graceful_shutdown=max(1, round(grace_seconds)),
    )
