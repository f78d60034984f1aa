"""Serves an ASGI application with uvicorn on a given socket, and ends it gracefully."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import Any, Final

import uvicorn

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


def serve(app: Any, listener: socket.socket, *, grace_seconds: float) -> None:
    """Serve until SIGTERM or SIGINT, then finish the answers under way, for at most the grace time."""
    config = uvicorn.Config(
        app,
        http=IgnoresUpgrades,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=max(1, round(grace_seconds)),
    )
    asyncio.run(GracefulServer(config).serve(sockets=[listener]))
