"""Rejects requests that are too many or too large, as ASGI middleware."""

import math
from typing import Any, Final

from fastapi.responses import JSONResponse

from pitwall_crds.host.http.places import peer_of
from pitwall_crds.host.rate_limit import RateLimit

Scope = dict[str, Any]
UNLIMITED_PATHS: Final = ("/healthz", "/readyz")


class RequestLimits:
    """ASGI middleware: 429 with Retry-After above the rate, 413 above the size, whatever Content-Length claims."""

    def __init__(self, app: Any, *, rate: RateLimit, max_body_bytes: int) -> None:
        self._app = app
        self._rate = rate
        self._max = max_body_bytes

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Refuse, or hand over a request whose whole body is known to be small."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED_PATHS:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        body = None if refusal else await self._body(receive)
        if refusal is None and body is None:
            refusal = _answer(413, f"the body is larger than {self._max} bytes", {"Connection": "close"})
        await (refusal(scope, receive, send) if refusal else self._app(scope, _replayed(body, receive), send))

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        client = scope.get("client") or ("unknown", 0)
        wait = self._rate.seconds_to_wait(str(peer_of(client[0]).host))
        if not wait:
            return None
        seconds = math.ceil(wait)
        return _answer(429, f"too many requests; try again in {seconds} s", {"Retry-After": str(seconds)})

    async def _body(self, receive: Any) -> bytes | None:
        """The whole body, or None as soon as it is too large. A client that leaves gets an empty one."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if size > self._max:
                return None
            parts.append(part)
            more = message["type"] == "http.request" and message.get("more_body", False)
        return b"".join(parts)


def _replayed(body: bytes | None, receive: Any) -> Any:
    pending = [{"type": "http.request", "body": body or b"", "more_body": False}]

    async def replay() -> Any:
        return pending.pop() if pending else await receive()

    return replay


def _answer(status: int, message: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": message, "errorCode": "GENERAL", "errorDetails": message}, status, headers)
