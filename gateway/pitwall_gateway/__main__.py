"""Starts the gateway: `python -m pitwall_gateway`."""

import gc

if __name__ == "__main__":
    gc.disable()  # until heap.settle()

import logging
import os
import socket
import sys
from collections.abc import Sequence

from pitwall_crds.host import heap, logs
from pitwall_crds.host.http.server import SecondApp, serve
from pitwall_crds.host.sockets import listen
from pitwall_gateway.flags.port import FixedFlags, Flags
from pitwall_gateway.flags.sync import FollowedFlags
from pitwall_gateway.serve.app import build_app, build_metrics_app
from pitwall_gateway.serve.settings import GatewaySettings, read_settings
from pitwall_gateway.serve.wiring import assemble
from pitwall_gateway.values.errors import CallersError

log = logging.getLogger("pitwall_gateway")


def main(arguments: Sequence[str]) -> int:
    """Run until stopped; 0 after a graceful end, 2 if it could not begin."""
    settings = read_settings(arguments)
    logs.set_up({"httpx": logging.WARNING, "openfeature.contrib": logging.CRITICAL})  # a line for each odd operand
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        wiring = assemble(settings, _flags(settings))
        listener = listen(settings.host, settings.port)
        metrics_listener = listen(settings.host, settings.metrics_port, option="--metrics-port")
    except (OSError, CallersError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    log.info(
        "gateway listens on %s and shows its metrics on %s/metrics", _address(listener), _address(metrics_listener)
    )
    if settings.rules.callers.is_open:
        log.warning("--no-authentication: everybody on this machine may ask and vote")
    metrics = SecondApp(build_metrics_app(wiring), metrics_listener)
    app = build_app(wiring)
    heap.settle()
    serve(app, listener, grace_seconds=settings.grace_seconds, beside=(metrics,), authenticates=True)
    return 0


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def _flags(settings: GatewaySettings) -> Flags:
    """The flags to follow; without a flag service, none: stable answers everybody."""
    if not settings.flags_sync:
        return FixedFlags({})
    token = os.environ.get("PITWALL_FLAGS_EVALUATE_TOKEN", "")
    return FollowedFlags(
        settings.flags_sync, state_dir=settings.state_dir, token=token, authority=settings.flags_authority
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
