"""The OpenFeature Remote Evaluation Protocol (OFREP 0.3.0) over HTTP: evaluates one flag or all of them."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware

from pitwall_crds.host.http.places import vouch
from pitwall_flags.errors import ContextError, ProblemError
from pitwall_flags.flag.evaluate import Attributes, EvaluationFault, FlagResolution
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.provider import telemetry
from pitwall_flags.service.auth import ALL_FLAGS, AccessTokens, Roots, TokenScope, covers, holder_of, token_of
from pitwall_flags.service.fairness.costly import Costly, Turn, costly_of
from pitwall_flags.service.http import ofrep_schema as schema
from pitwall_flags.service.http.answer import AsciiJson, etags_of, may, parse_object
from pitwall_flags.service.http.known import Evaluated, KnownEvaluations
from pitwall_flags.service.publish import FlagSnapshot, Publisher

SINGLE_PATH: Final = "/ofrep/v1/evaluate/flags/"
EVENTS_PATH: Final = "/ofrep/v1/events"
INACTIVITY_SECONDS: Final = 120
KEEP_ALIVE_SECONDS: Final = 15.0
TURN_SECONDS: Final = 0.01
"""Of the processor: so long the evaluation of all flags goes on before others are served."""

router = APIRouter(tags=["OFREP"])
_NOTHING: Final[Roots] = frozenset()
_evaluator = Depends(may(TokenScope.EVALUATE))
_STATUS = {EvaluationFault.FLAG_NOT_FOUND: 404}


@router.post(SINGLE_PATH + "{key:path}", dependencies=[_evaluator], openapi_extra=schema.SINGLE)
async def evaluate_flag(request: Request, key: str) -> Response:
    """Evaluate one flag."""
    flag_set, body = _publisher(request).snapshot.flag_set, await request.body()
    async with _turn(costly_of(request), flag_set, key, request.state.holder, request.state.roots) as turn:
        status, answer = _in(turn, flag_set, key, body)
    return AsciiJson(answer, status)


def _turn(
    costly: Costly, flag_set: FlagSet, key: str, holder: str, roots: Roots
) -> AbstractAsyncContextManager[Turn | None]:
    """A turn for a rule of others, which may take tens of milliseconds; a split of ours needs none."""
    return nullcontext() if flag_set.is_quick(key) else costly.evaluations.turn(holder, roots)


def _in(turn: Turn | None, flag_set: FlagSet, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
    began = time.thread_time()
    try:
        return evaluate_one(flag_set, key, body)
    finally:
        if turn:
            turn.seconds = time.thread_time() - began


class CrossOrigin:
    """ASGI middleware that lets pages of these origins evaluate flags from a browser, refusals included; to the rest
    of the service browsers send no page."""

    def __init__(self, app: Any, *, origins: Sequence[str]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app, allow_origins=list(origins), allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-API-Key"],
            expose_headers=["ETag", "Retry-After"], max_age=600,
        )  # fmt: skip

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer a browser's question beforehand, or hand the request over and mark its answer."""
        evaluates = scope["type"] == "http" and scope["path"].startswith("/ofrep/")
        await (self._open if evaluates else self._app)(scope, receive, send)


class SingleEvaluations:
    """ASGI middleware that answers single evaluations itself: the same function, without a framework's routing."""

    def __init__(self, app: Any, *, publisher: Publisher, tokens: AccessTokens, costly: Costly) -> None:
        self._app = app
        self._publisher = publisher
        self._tokens = tokens
        self._costly = costly

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer, or hand over what is another request, or one without the right token (for the words of refusal)."""
        single = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(SINGLE_PATH)
        key = scope["path"].removeprefix(SINGLE_PATH) if single else ""
        holder, roots = self._whose(scope) if single else ("", _NOTHING)
        if not covers(roots, key):
            await self._app(scope, receive, send)
            return
        message, flag_set = await receive(), self._publisher.snapshot.flag_set
        try:
            async with _turn(self._costly, flag_set, key, holder, roots) as turn:
                status, answer = _in(turn, flag_set, key, message.get("body", b""))
        except ProblemError as full:
            answer = {"key": key, **_failure(EvaluationFault.GENERAL, str(full))}
            await AsciiJson(answer, full.status, full.headers)(scope, receive, send)
            return
        body = _dump(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _whose(self, scope: dict[str, Any]) -> tuple[str, Roots]:
        """Who asks, and which flags its token is for."""
        if self._tokens.is_open:
            return "", ALL_FLAGS
        token = token_of(Headers(scope=scope))
        holder, roots = holder_of(token), self._tokens.roots(token, (TokenScope.EVALUATE,))
        if roots:
            vouch(scope, holder)
        return holder, roots


def evaluate_one(flag_set: FlagSet, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the answer to a single evaluation's body."""
    try:
        targeting_key, attributes = _context(body)
    except ContextError as fault:
        return 400, {"key": key, **_failure(fault.fault, str(fault))}
    resolution = flag_set.evaluate(key, targeting_key, attributes)
    telemetry.count(key, resolution)
    return _status(resolution), _shown(key, resolution)


@router.post("/ofrep/v1/evaluate/flags", dependencies=[_evaluator], openapi_extra=schema.BULK)
async def evaluate_flags(request: Request, flagConfigEtag: str = "") -> Response:  # noqa: N803 - OFREP's spelling
    """Evaluate all flags. The ETag stands for the result, so another context never gets a wrong 304."""
    sent, roots, known = await request.body(), request.state.roots, _known(request)
    publisher = _publisher(request)
    found = None if _is_newer(flagConfigEtag, publisher) else known.find(publisher.snapshot, roots, sent)
    if found is None:
        try:
            async with costly_of(request).of_all_flags.turn(request.state.holder, roots) as turn:
                snapshot = await publisher.refresh() if _is_newer(flagConfigEtag, publisher) else publisher.snapshot
                found = known.find(snapshot, roots, sent) or await _evaluated(snapshot, roots, sent, known, turn)
        except ContextError as fault:
            return AsciiJson(_failure(fault.fault, str(fault)), 400)
    if found.etag in etags_of(request.headers.get("if-none-match", "")):
        return Response(None, 304, {"ETag": found.etag})
    streams = json.dumps([_event_stream(request.app.state.tokens)])
    return Response(f'{{{found.fields},"eventStreams":{streams}}}', 200, {"ETag": found.etag}, "application/json")


@router.get(EVENTS_PATH, openapi_extra=schema.EVENTS)
async def events(request: Request, channel: str = "") -> Response:
    """Server-sent events: `refetchEvaluation` after every change. The URL is the secret; it came with a bulk answer."""
    if not hmac.compare_digest(channel.encode("utf-8", "surrogatepass"), _channel(request.app.state.tokens).encode()):
        raise ProblemError(403, "take the URL of this stream from eventStreams of POST /ofrep/v1/evaluate/flags")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_frames(_publisher(request)), media_type="text/event-stream", headers=headers)


async def _frames(publisher: Publisher) -> AsyncIterator[str]:
    """One frame for each snapshot after the present one, comments in between so that proxies keep the stream open."""
    followed = publisher.follow(publisher.snapshot.revision)
    pending: asyncio.Task[FlagSnapshot] | None = None
    yield "retry: 1000\n\n"
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(followed))
            done, _ = await asyncio.wait([pending], timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield ": still here\n\n"
                continue
            snapshot, pending = pending.result(), None
            yield _frame(snapshot)
    except StopAsyncIteration:
        return
    finally:
        if pending:
            pending.cancel()


def _frame(snapshot: FlagSnapshot) -> str:
    seconds = int(snapshot.flag_set.metadata["writtenAtMs"]) // 1000
    data = {"type": "refetchEvaluation", "etag": str(snapshot.revision), "lastModified": seconds}
    return f"id: {snapshot.revision}\nevent: message\ndata: {json.dumps(data)}\n\n"


def _is_newer(revision: str, publisher: Publisher) -> bool:
    """Whether an event announced a change that is not known here, as that of another replica."""
    digits = revision.isascii() and revision.isdecimal() and len(revision) < 19
    return digits and int(revision) > publisher.snapshot.revision


def _context(body: bytes) -> tuple[str, Attributes]:
    try:
        context = parse_object(body).get("context")
    except ProblemError as problem:
        raise ContextError(EvaluationFault.PARSE_ERROR, str(problem)) from problem
    if not isinstance(context, dict):
        raise ContextError(EvaluationFault.INVALID_CONTEXT, 'send {"context": {"targetingKey": "…"}}')
    targeting_key = context.pop("targetingKey", None)
    if not targeting_key:
        raise ContextError(EvaluationFault.TARGETING_KEY_MISSING, "context.targetingKey is missing or empty")
    if not isinstance(targeting_key, str):
        raise ContextError(
            EvaluationFault.INVALID_CONTEXT, f"context.targetingKey is a {type(targeting_key).__name__}, not a string"
        )
    return targeting_key, context


async def _evaluated(
    snapshot: FlagSnapshot, roots: Roots, sent: bytes, known: KnownEvaluations, turn: Turn
) -> Evaluated:
    """All flags' results in this turn. Raises ContextError."""
    second, turn.seconds, began = known.second(), 0.0, time.thread_time()
    targeting_key, attributes = _context(sent)
    turn.seconds += time.thread_time() - began
    fields = await _bulk(snapshot, targeting_key, attributes, roots, turn)
    found = Evaluated(fields, f'"{hashlib.sha256(fields.encode()).hexdigest()[:32]}"')
    known.keep(snapshot, roots, sent, found, second)
    return found


async def _bulk(snapshot: FlagSnapshot, targeting_key: str, attributes: Attributes, roots: Roots, turn: Turn) -> str:
    """All flags' results, as the fields of a JSON object; others are served in between."""
    flag_set, flags, since, before = snapshot.flag_set, [], time.thread_time(), turn.seconds or 0.0
    for key in flag_set.documents:
        if covers(roots, key):
            flags.append(_dump(_shown(key, flag_set.evaluate(key, targeting_key, attributes))))
        if (spent := time.thread_time() - since) > TURN_SECONDS:
            turn.seconds = before = before + spent
            await turn.let_others()
            since = time.thread_time()
    turn.seconds = before + time.thread_time() - since
    metadata = _dump({"flagSetId": flag_set.metadata["flagSetId"]})
    return f'"flags":[{",".join(flags)}],"metadata":{metadata}'


def _dump(value: Any) -> str:
    """In ASCII, which can be sent whatever a text holds."""
    return json.dumps(value, separators=(",", ":"))


def _shown(key: str, resolution: FlagResolution) -> dict[str, Any]:
    """The result as OFREP has it. `variant` is always there: the Python provider looks it up unconditionally."""
    if resolution.fault is not None:
        return {"key": key, **_failure(resolution.fault, resolution.message)}
    value = {} if resolution.value is None else {"value": resolution.value}
    metadata = {"metadata": dict(resolution.metadata)}
    return {"key": key, "reason": resolution.reason.value, "variant": resolution.variant, **value, **metadata}


def _failure(fault: str, message: str) -> dict[str, Any]:
    code = EvaluationFault.GENERAL if fault is EvaluationFault.TYPE_MISMATCH else fault
    return {"errorCode": str(code), "errorDetails": message}


def _status(resolution: FlagResolution) -> int:
    return 200 if resolution.fault is None else _STATUS.get(resolution.fault, 400)


def _event_stream(tokens: AccessTokens) -> dict[str, Any]:
    endpoint = {"requestUri": f"{EVENTS_PATH}?channel={_channel(tokens)}"}
    return {"type": "sse", "endpoint": endpoint, "inactivityDelaySec": INACTIVITY_SECONDS}


def _channel(tokens: AccessTokens) -> str:
    """The secret of the stream's URL: equal in all replicas, of no use as a token, new with a new evaluate token."""
    return hmac.new(tokens.digests.get(TokenScope.EVALUATE, b"open"), b"ofrep-events", hashlib.sha256).hexdigest()[:40]


def _publisher(request: Request) -> Publisher:
    publisher: Publisher = request.app.state.publisher
    return publisher


def _known(request: Request) -> KnownEvaluations:
    known: KnownEvaluations = request.app.state.known
    return known
