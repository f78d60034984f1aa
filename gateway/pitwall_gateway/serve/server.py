"""An application in, a listening server out: one clear line when it cannot listen, a graceful end on SIGTERM."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from pitwall_crds.host.http_upgrade import IgnoresUpgrades
from pitwall_gateway.values.errors import PortError

BACKLOG = 2048


class _Server(uvicorn.Server):
    """Stops on SIGTERM and SIGINT by finishing what is under way; the process then ends with status 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address; raises PortError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle off (40 ms per answer) only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise PortError(f"cannot listen on {host}:{port} ({reason}); choose another --port, or 0") from None
    return listener


def serve(app: FastAPI, listener: socket.socket, *, grace_seconds: float) -> None:
    """Serve until SIGTERM or SIGINT, then finish the answers under way, for at most the grace time."""
    config = uvicorn.Config(
        app,
        http=IgnoresUpgrades,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=max(1, round(grace_seconds)),
    )
    asyncio.run(_Server(config).serve(sockets=[listener]))
