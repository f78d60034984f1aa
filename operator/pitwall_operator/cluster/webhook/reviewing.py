"""Serves admission reviews over TLS, within the limits of every server; what is said to them is another's matter."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pitwall_crds.host.http.server import SideServer
from pitwall_crds.host.http.tls import keep_renewed, server_context
from pitwall_crds.host.sockets import listen
from pitwall_crds.reading.sent import BodyFaultError, read_json
from pitwall_operator.cluster.webhook.peer_turns import PeerTurns

log = logging.getLogger(__name__)

LARGEST_REVIEW: Final = 4 * 1024 * 1024
"""Bytes: etcd takes objects of 1.5 MiB, and a review holds the old one too."""
MOST_VALUES: Final = 1 << 16
"""Fields and entries: those of the largest resource of ours that is not refused, new and old, with who wrote what."""
MOST_OF_ONE: Final = 4
"""Reviews of one peer that are read and answered at once: any pod may send some, and the API server's have seconds."""

Reviewer = Callable[[dict[str, Any], str], Awaitable[Any]]
"""Answers an AdmissionReview that was posted to the path of that name."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the validating webhook listens, and with which certificate."""

    port: int
    certificate: Path
    private_key: Path


@asynccontextmanager
async def reviewing(webhook: Webhook, reviewer: Reviewer) -> AsyncIterator[None]:
    """Answer reviews for as long as the block lasts; a renewed certificate is shown without a restart.

    Raises PortError, or OSError for a certificate that cannot be read.
    """
    context = server_context(webhook.certificate, webhook.private_key)
    everybody = "0.0.0.0"  # noqa: S104 – the API server calls from outside
    listener = listen(everybody, webhook.port, option="--webhook-port")
    server = SideServer(reviews_app(reviewer), listener, context=context)
    renewing = asyncio.create_task(keep_renewed(context, webhook.certificate, webhook.private_key))
    try:
        yield
    finally:
        renewing.cancel()
        await server.end()


def reviews_app(reviewer: Reviewer) -> Starlette:
    """The application: an AdmissionReview is posted to any path."""

    turns = PeerTurns(MOST_OF_ONE)

    async def review(request: Request) -> Response:
        async with turns.turn(request.client.host if request.client else ""):
            return await answer(request)

    async def answer(request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return PlainTextResponse(f"a review has at most {LARGEST_REVIEW} bytes", 413, {"connection": "close"})
        try:
            asked = read_json(body, MOST_VALUES)
        except BodyFaultError as fault:
            return PlainTextResponse(f"this is no AdmissionReview: {fault}", 400)
        if not isinstance(asked, dict) or not isinstance(asked.get("request"), dict):
            return PlainTextResponse("this is no AdmissionReview", 400)
        try:
            return JSONResponse(await reviewer(asked, request.path_params["path"]))
        except Exception as error:
            log.warning("a review could not be answered: %s: %s", type(error).__name__, error)
            return PlainTextResponse("this review cannot be answered; the operator's log says why", 500)

    return Starlette(routes=[Route("/{path:path}", review, methods=["POST"])])


async def _body(request: Request) -> bytes | None:
    """The whole body, or None as soon as it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_REVIEW:
            return None
    return bytes(body)
