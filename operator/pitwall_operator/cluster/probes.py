"""Serves the operator's own HTTP endpoints: /healthz, /readyz and /metrics."""

from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pitwall_crds.host.http.server import SideServer
from pitwall_crds.host.sockets import listen


def serve(
    port: int,
    registry: CollectorRegistry,
    *,
    healthy: Callable[[], str],
    ready: Callable[[], str],
    note: Callable[[], str] = str,
) -> SideServer:
    """Listen; `healthy` and `ready` return what is wrong, empty if nothing is; `note` what is worth knowing of one that
    is ready. Raises PortError."""

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes = [
        Route("/healthz", _probe(healthy)),
        Route("/readyz", _probe(ready, note)),
        Route("/metrics", metrics),
    ]
    everybody = "0.0.0.0"  # noqa: S104 – kubelet and Prometheus call from outside
    return SideServer(Starlette(routes=routes), listen(everybody, port))


def _probe(trouble: Callable[[], str], note: Callable[[], str] = str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        words = trouble()
        said = words or "; ".join(filter(None, ("ok", note())))
        return PlainTextResponse(said, status_code=503 if words else 200)

    return answer
