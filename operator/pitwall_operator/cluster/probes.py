"""Serves the operator's own HTTP endpoints: /healthz, /readyz and /metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


async def serve(
    port: int, registry: CollectorRegistry, *, healthy: Callable[[], str], ready: Callable[[], str]
) -> web.AppRunner:
    """Listen; `healthy` and `ready` return what is wrong, empty if nothing is. Raises OSError if the port is taken."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/healthz", _probe(healthy))
    application.router.add_get("/readyz", _probe(ready))
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 – kubelet and Prometheus call from outside
    return runner


def _probe(trouble: Callable[[], str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        words = trouble()
        return web.Response(text=words or "ok", status=503 if words else 200)

    return answer
