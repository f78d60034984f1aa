"""Serves an ASGI application with uvicorn on a given socket, and ends it gracefully."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import uvicorn

from pitwall_crds.host.http_guard import connections_allowed
from pitwall_crds.host.http_upgrade import IgnoresUpgrades

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


def serve(app: Any, listener: socket.socket, *, grace_seconds: float, beside: Sequence[SecondApp] = ()) -> None:
    """Serve until SIGTERM or SIGINT, then finish the answers under way, for at most the grace time. What is served
    beside has no lifespan of its own, and ends when the application has."""
    asyncio.run(_serve(SecondApp(app, listener), beside, grace_seconds))


def guarded_http() -> type[IgnoresUpgrades]:
    """The protocol of every server of ours: within its limits, and no more connections than the system has files."""

    class Guarded(IgnoresUpgrades):
        limits = replace(IgnoresUpgrades.limits, total=connections_allowed(IgnoresUpgrades.limits.total))

    return Guarded


async def _serve(site: SecondApp, beside: Sequence[SecondApp], grace_seconds: float) -> None:
    servers = [GracefulServer(_config(each.app, grace_seconds, lifespan="off"), signals=()) for each in beside]
    tasks = [
        asyncio.create_task(server.serve(sockets=[each.listener])) for server, each in zip(servers, beside, strict=True)
    ]
    try:
        await GracefulServer(_config(site.app, grace_seconds, lifespan="on")).serve(sockets=[site.listener])
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


def _config(app: Any, grace_seconds: float, *, lifespan: Literal["on", "off"]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=guarded_http(),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan=lifespan,
        timeout_graceful_shutdown=max(1, round(grace_seconds)),
    )
