"""Starts the flag service: HTTP for admin API and OFREP, gRPC for flagd sync, metrics on a port of their own."""

import gc

if __name__ == "__main__":
    gc.disable()  # until heap.settle()

import argparse
import asyncio
import logging
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2_grpc
from sqlalchemy.exc import SQLAlchemyError

from pitwall_crds.errors import PortError
from pitwall_crds.host import heap, logs
from pitwall_crds.host.http.connection_limits import connections_allowed
from pitwall_crds.host.http.local import for_this_machine
from pitwall_crds.host.http.server import GracefulServer, SideServer, guarded_http
from pitwall_crds.host.http.tls import keep_renewed, server_context
from pitwall_crds.host.sockets import is_loopback, listen
from pitwall_flags.errors import StartError, TokenError
from pitwall_flags.service.app import build_app, build_metrics_app
from pitwall_flags.service.auth import AccessTokens
from pitwall_flags.service.publish import Publisher
from pitwall_flags.service.sync import SyncService, TokenGate, server_options, sync_credentials
from pitwall_flags.storage.store import FlagStore

log = logging.getLogger("pitwall_flags.service")

GRACE_SECONDS = 3
SYNC_CONNECTIONS = 1024
DATABASE_VARIABLE = "PITWALL_FLAGS_DATABASE"


@dataclass(frozen=True, slots=True)
class FlagServiceSettings:
    """What the command line says."""

    database: str
    host: str
    http_port: int
    sync_port: int
    metrics_port: int
    flag_set_id: str
    requests_per_second: float
    flag_sets: list[Path]
    cors_origin: list[str]
    certificate: Path | None
    private_key: Path | None


def read_settings(arguments: Sequence[str]) -> FlagServiceSettings:
    """The command line as settings; exits with a usage message when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m pitwall_flags.service", description=__doc__)
    database = os.environ.get(DATABASE_VARIABLE, "sqlite+aiosqlite:///pitwall-flags.db")
    parser.add_argument("--database", default=database, help=f"SQLAlchemy URL; {DATABASE_VARIABLE} hides a password")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--http-port", type=int, default=8016, help="admin API and OFREP; 0 takes a free port")
    parser.add_argument("--sync-port", type=int, default=8015, help="flagd.sync.v1; 0 takes a free port")
    parser.add_argument(
        "--metrics-port", type=int, default=0, help="port of /metrics, on the same address; 0 takes a free one"
    )
    parser.add_argument("--flag-set-id", default="pitwall")
    parser.add_argument("--requests-per-second", type=float, default=1000.0, help="per client address; 0 is no limit")
    parser.add_argument(
        "--flag-sets", type=Path, action="append", default=[], metavar="FILE",
        help="JSON: tokens that are for some flags alone; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--cors-origin", action="append", default=[], type=_origin, metavar="ORIGIN",
        help="pages of this origin, such as https://app.example.com, may evaluate from a browser; repeatable",
    )  # fmt: skip
    parser.add_argument("--tls-certificate", dest="certificate", type=Path, help="PEM, for HTTP, gRPC and metrics")
    parser.add_argument("--tls-private-key", dest="private_key", type=Path, help="PEM")
    settings = FlagServiceSettings(**vars(parser.parse_args(arguments)))
    if (settings.certificate is None) != (settings.private_key is None):
        parser.error("--tls-certificate and --tls-private-key go together")
    return settings


def _origin(text: str) -> str:
    """Scheme, host and port as a browser names them, or * for every page. Raises ValueError, which argparse tells."""
    if text != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", text):
        raise ValueError(f"{text} is no origin")
    return text


async def serve(settings: FlagServiceSettings, tokens: AccessTokens, stop: asyncio.Event) -> None:
    """Run until `stop` is set. Raises StartError or PortError."""
    _refuse_open_service(settings, tokens)
    with (
        listen(settings.host, settings.http_port, option="--http-port") as http_socket,
        listen(settings.host, settings.metrics_port, option="--metrics-port") as metrics_socket,
    ):
        store = await _open_store(settings.database)
        publisher = Publisher(store, settings.flag_set_id)
        try:
            await publisher.refresh()
            grpc_server, sync_port = await _start_sync(settings, publisher, tokens)
            app = build_app(store, publisher, tokens, settings.requests_per_second, settings.cors_origin)
            async with _tls(settings) as context:
                if tokens.is_open and context is None:
                    app = for_this_machine(app, http_socket, settings.cors_origin)
                http_server = GracefulServer(_http_config(app, context), signals=())
                metrics_server = SideServer(build_metrics_app(), metrics_socket, context=context)
                _announce(settings.host, http_socket.getsockname()[1], sync_port, metrics_socket.getsockname()[1])
                await _until(stop, http_server, http_socket, publisher)
                await metrics_server.end()
            await publisher.close()
            await grpc_server.stop(GRACE_SECONDS)
        finally:
            await store.close()


@asynccontextmanager
async def _tls(settings: FlagServiceSettings) -> AsyncIterator[ssl.SSLContext | None]:
    """What HTTP shows its clients, renewed with its files; None without TLS."""
    certificate, private_key = settings.certificate, settings.private_key
    if certificate is None or private_key is None:
        yield None
        return
    context = server_context(certificate, private_key)
    renewing = asyncio.create_task(keep_renewed(context, certificate, private_key))
    try:
        yield context
    finally:
        renewing.cancel()


async def _until(stop: asyncio.Event, server: uvicorn.Server, listening: socket.socket, publisher: Publisher) -> None:
    watching = asyncio.create_task(publisher.watch())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({watching, serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await publisher.close()  # ends the event streams, which would hold the server open
        server.should_exit = True
        watching.cancel()
        stopping.cancel()
        await asyncio.gather(serving, watching, stopping, return_exceptions=True)


def _refuse_open_service(settings: FlagServiceSettings, tokens: AccessTokens) -> None:
    if not tokens.is_open:
        return
    if not is_loopback(settings.host):
        raise StartError(
            f"without tokens the service must be bound to loopback, not {settings.host}; set "
            "PITWALL_FLAGS_EVALUATE_TOKEN, PITWALL_FLAGS_WRITE_TOKEN and PITWALL_FLAGS_KILL_TOKEN, or --host 127.0.0.1"
        )
    log.warning("no tokens are set: everybody on this machine may write flags")


async def _open_store(url: str) -> FlagStore:
    try:
        return await FlagStore.open(url)
    except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
        scheme = url.partition(":")[0]
        words = str(getattr(error, "orig", None) or error).splitlines()[:1]
        raise StartError(f"cannot open the {scheme} database: {' '.join(words)}; see --database") from error


async def _start_sync(settings: FlagServiceSettings, publisher: Publisher, tokens: AccessTokens) -> tuple[Any, int]:
    options = server_options(connections_allowed(SYNC_CONNECTIONS))
    server = grpc.aio.server(options=options, interceptors=[TokenGate(tokens)])
    sync_pb2_grpc.add_FlagSyncServiceServicer_to_server(SyncService(publisher, tokens), server)
    address = f"{settings.host}:{settings.sync_port}"
    try:
        if settings.certificate and settings.private_key:
            credentials = sync_credentials(settings.certificate, settings.private_key)
            port = server.add_secure_port(address, credentials)
        else:
            port = server.add_insecure_port(address)
    except (RuntimeError, OSError) as error:
        raise StartError(f"cannot listen on {address}; choose another --sync-port") from error
    await server.start()
    return server, int(port)


def _http_config(app: Any, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app, http=guarded_http(context), log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS, timeout_keep_alive=30, h11_max_incomplete_event_size=32_768,
        lifespan="off",
    )  # fmt: skip


def _announce(host: str, http_port: int, sync_port: int, metrics_port: int) -> None:
    ports = f"http={host}:{http_port} sync={host}:{sync_port} metrics={host}:{metrics_port}"
    sys.stdout.write(f"flag service ready: {ports}\n")
    sys.stdout.flush()


async def _run(settings: FlagServiceSettings, tokens: AccessTokens) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    heap.settle()
    await serve(settings, tokens, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the service until SIGTERM or SIGINT; 0 after a graceful stop, 2 when it cannot start."""
    logs.set_up({"alembic": logging.WARNING, "openfeature.contrib": logging.CRITICAL})  # a line for each odd operand
    try:
        settings = read_settings(sys.argv[1:] if arguments is None else arguments)
        asyncio.run(_run(settings, AccessTokens.from_environment(os.environ, settings.flag_sets)))
    except (StartError, TokenError, PortError) as error:
        sys.stderr.write(f"pitwall flags: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
