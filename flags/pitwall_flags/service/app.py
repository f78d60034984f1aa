"""Builds the flag service's HTTP application."""

from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from pitwall_crds.host.rate_limit import RateLimit
from pitwall_flags.errors import ProblemError, ReusedKeyError
from pitwall_flags.service.auth import AccessTokens
from pitwall_flags.service.fairness.costly import Costly
from pitwall_flags.service.fairness.limits import RequestLimits
from pitwall_flags.service.fairness.reading_turns import ReadingTurns
from pitwall_flags.service.http import admin, journal_api, ofrep
from pitwall_flags.service.http.answer import (
    MAX_BODY_BYTES,
    invalid_response,
    problem_response,
    refused_response,
    reused_response,
)
from pitwall_flags.service.http.known import KnownEvaluations
from pitwall_flags.service.publish import Publisher
from pitwall_flags.storage.store import FlagStore


def build_app(
    store: FlagStore,
    publisher: Publisher,
    tokens: AccessTokens,
    requests_per_second: float = 0,
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """The admin API, the journal, OFREP and health in one application.

    Args:
        cors_origins: web pages of these origins may evaluate from a browser; none may do anything else.
    """
    app = FastAPI(title="Pitwall flags", version="1", redoc_url=None, docs_url=None)
    app.state.store, app.state.publisher, app.state.tokens = store, publisher, tokens
    app.state.journal = store.journal
    app.state.turns = ReadingTurns()
    app.state.costly = Costly()
    app.state.known = KnownEvaluations()
    app.add_exception_handler(ProblemError, problem_response)
    app.add_exception_handler(ReusedKeyError, reused_response)
    app.add_exception_handler(RequestValidationError, invalid_response)
    app.add_exception_handler(HTTPException, refused_response)
    app.add_exception_handler(SQLAlchemyError, _database_away)
    app.add_exception_handler(OSError, _database_away)
    app.include_router(admin.router)
    app.include_router(journal_api.router)
    app.include_router(ofrep.router)
    app.add_api_route("/healthz", _healthy, response_class=PlainTextResponse, tags=["service"])
    app.add_api_route("/readyz", _ready, response_class=PlainTextResponse, tags=["service"])
    app.add_middleware(ofrep.SingleEvaluations, publisher=publisher, tokens=tokens, costly=app.state.costly)
    app.add_middleware(RequestLimits, rate=RateLimit(requests_per_second), max_body_bytes=MAX_BODY_BYTES)
    if cors_origins:
        app.add_middleware(ofrep.CrossOrigin, origins=cors_origins)
    return app


def build_metrics_app() -> FastAPI:
    """What the operators of the service read, on a port of its own: flags, their variants and reasons are in it."""
    app = FastAPI(title="Pitwall flags' metrics", version="1", redoc_url=None, docs_url=None)
    app.add_exception_handler(HTTPException, refused_response)
    app.add_api_route("/metrics", _metrics, response_class=PlainTextResponse)
    return app


async def _database_away(_request: Request, error: Exception) -> Response:
    words = f"the flag database does not answer ({type(error).__name__}); evaluation goes on, writes must wait"
    return JSONResponse({"error": words}, 503, {"Retry-After": "1"})


async def _healthy() -> str:
    return "ok"


async def _ready(request: Request) -> Response:
    """Ready once flags were read; the database may be away later without ending evaluation."""
    ready = request.app.state.publisher.snapshot.revision >= 0
    return PlainTextResponse("ready" if ready else "flags not read yet", 200 if ready else 503)


async def _metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
