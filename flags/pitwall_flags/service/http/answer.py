"""JSON answers and error bodies that the admin API and OFREP share."""

import json
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import model_validator
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from pitwall_crds.host.http.places import vouch
from pitwall_crds.reading.json_words import json_fault
from pitwall_crds.reading.sent import BodyFaultError, read_json
from pitwall_crds.resource import Border
from pitwall_flags.errors import ProblemError, ReusedKeyError
from pitwall_flags.service.auth import ALL_FLAGS, AccessTokens, TokenScope, covers, holder_of, token_of

MAX_BODY_BYTES: Final = 131_072
MOST_FIELDS: Final = 16
"""Of a body itself; what it may hold has three at most."""


class AsciiJson(JSONResponse):
    """JSON in ASCII: what was stored before half a character was refused can be told, so that its owner may mend it."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body, read as all bodies of this project are; Python's own reader takes half a character and NaN."""
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose bodies hold only what every reader of JSON can read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's own, of a request that reads so."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return handle


class Sent(Border):
    """What is sent to the admin API. Of many fields none is looked at: the framework describes each that is unknown."""

    @model_validator(mode="before")
    @classmethod
    def _few(cls, sent: Any) -> Any:
        if isinstance(sent, dict) and len(sent) > MOST_FIELDS:
            raise ValueError(f"there are {len(sent)} fields; leave out what is not needed")
        return sent


_PROBLEM: Final = {
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        }
    }
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of these refusals."""
    return {status: {"description": HTTPStatus(status).phrase, **_PROBLEM} for status in statuses}


async def refused_response(request: Request, refused: Exception) -> Response:
    """A refusal of the framework (no such path, a body that is no JSON) in the same shape as a Problem."""
    assert isinstance(refused, HTTPException)
    if isinstance(refused.__cause__, BodyFaultError):
        return AsciiJson({"error": str(refused.__cause__)}, refused.status_code)
    if isinstance(refused.__cause__, ValueError | RecursionError):
        words = f"the body is not JSON ({json_fault(refused.__cause__)})"
        return JSONResponse({"error": words}, refused.status_code)
    headers = {"Allow": _allowed(request)} if refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED else refused.headers
    return JSONResponse({"error": str(refused.detail)}, refused.status_code, headers)


def _allowed(request: Request) -> str:
    """All methods of a path; the framework's own Allow header names those of one route only."""
    found = {
        method.upper()
        for template, operations in request.app.openapi()["paths"].items()
        if compile_path(template)[0].match(request.url.path)
        for method in operations
    }
    return ", ".join(sorted(found))


async def problem_response(_request: Request, problem: Exception) -> Response:
    """A Problem as `{"error": "…"}`."""
    assert isinstance(problem, ProblemError)
    return AsciiJson({"error": str(problem)}, problem.status, problem.headers)


async def reused_response(_request: Request, reused: Exception) -> Response:
    """422: what came again under the same Idempotency-Key was another request
    (draft-ietf-httpapi-idempotency-key-header, 2.7)."""
    assert isinstance(reused, ReusedKeyError)
    return JSONResponse({"error": str(reused)}, 422)


async def invalid_response(_request: Request, invalid: Exception) -> Response:
    """What is wrong with a request's fields, without repeating what was sent (it may be a secret, or no JSON)."""
    assert isinstance(invalid, RequestValidationError)
    return AsciiJson({"error": "; ".join(map(_fault, invalid.errors()[:8]))}, 422)


def _fault(found: dict[str, Any]) -> str:
    return f"{'.'.join(map(str, found['loc']))}: {found['msg'].removeprefix('Value error, ')}"


def parse_object(text: bytes) -> dict[str, Any]:
    """A request's body as a JSON object. Raises ProblemError: 400 when it is none."""
    try:
        body = read_json(text)
    except BodyFaultError as fault:
        raise ProblemError(400, str(fault)) from None
    if not isinstance(body, dict):
        raise ProblemError(400, f"the body must be a JSON object, not {type(body).__name__}")
    return body


def etags_of(header: str) -> list[str]:
    """The entity tags of an If-Match or If-None-Match header, weak ones as what they stand for (RFC 9110, 8.8.3.2):
    a proxy that compresses an answer makes its tag weak."""
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def may(*scopes: TokenScope, everywhere: bool = False) -> Callable[[Request], Awaitable[None]]:
    """A dependency that passes requests whose token has one of the scopes for the flag of the path, or for all flags
    where `everywhere` is asked: 401 without token, 403 with another. `request.state.roots` says for which flags,
    and `request.state.holder` whose it is."""

    async def check(request: Request) -> None:
        tokens: AccessTokens = request.app.state.tokens
        token = token_of(request.headers)
        if not tokens.is_open and not token:
            raise ProblemError(
                401, "send a token: Authorization: Bearer … or X-API-Key", {"WWW-Authenticate": "Bearer"}
            )
        roots = request.state.roots = tokens.roots(token, scopes)
        if not roots:
            raise ProblemError(403, f"this token may not do that; it needs the scope {' or '.join(scopes)}")
        request.state.holder = "" if tokens.is_open else holder_of(token)
        if not tokens.is_open:
            vouch(request.scope, request.state.holder)
        key = request.path_params.get("key")
        if (key is not None and not covers(roots, key)) or (everywhere and roots != ALL_FLAGS):
            raise ProblemError(403, f"this token is for {', '.join(map(repr, sorted(roots)))} alone")

    return check
