"""The runtime's HTTP application: chat completions, health and metrics."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pitwall_crds.host.logs import fields
from pitwall_crds.names import Arm, Header
from pitwall_crds.reading.faults import read_body
from pitwall_crds.reading.sent import BodyFaultError
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import (
    BadQuestionError,
    MediaBrokenError,
    MediaTooLargeError,
    NotAVideoError,
    RefusedError,
    SamplerFailedError,
    TooLateError,
    UnavailableError,
)
from pitwall_runtime.ingest.desk import IngestDesk
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.media import Video
from pitwall_runtime.pipeline.asked import AskedQuestion
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.serve import schema
from pitwall_runtime.serve.blame import code_of, what_was_seen
from pitwall_runtime.serve.leaving import while_asked
from pitwall_runtime.serve.reply import written
from pitwall_runtime.serve.sampler_health import SamplerHealth
from pitwall_runtime.serve.seen_video import SeenVideo
from pitwall_runtime.serve.videos import add_video_routes, party_of
from pitwall_runtime.serve.worker import Lanes, QueueLimits, Worker

log = logging.getLogger(__name__)
_RETRY_SECONDS = "1"
_MOST_DIGITS = 12
_TRIES = 3
_LONGEST_ID = 256
_LONGEST_CAUSE = 1000
_LONG_BODY = 64 << 10
"""Bytes; other people's questions go on while it is read."""


@dataclass(slots=True)
class ServingState:
    """What the application needs; `pipeline` is None until everything is loaded.

    `waiting` has the places of samplers that wait for a model.
    `deadline_seconds` holds for questions whose caller says nothing, and is the most that one may say. A video that
    cannot be prepared within its question's deadline is sent to the `desk`, so that the next question finds it.
    """

    variant: SamplerVariant
    arm: str
    resolver: Resolver
    telemetry: RuntimeTelemetry
    lanes: Lanes
    pipeline: Pipeline | None = None
    waiting: Worker = field(default_factory=lambda: Worker(QueueLimits(threads=64, waiting=64)))
    health: SamplerHealth = field(default_factory=SamplerHealth)
    deadline_seconds: float = 600.0
    desk: IngestDesk | None = None

    def loaded(self) -> Pipeline:
        """The pipeline. Raises UnavailableError while the models are loading."""
        if self.pipeline is None:
            raise UnavailableError("the models are still loading; ask again in a few seconds")
        return self.pipeline


def build_app(engine: ServingState) -> FastAPI:
    """The application around `engine`."""
    app = FastAPI(title="Pitwall runtime", docs_url=None, redoc_url=None)
    app.add_exception_handler(RefusedError, _refuse)
    app.add_exception_handler(HTTPException, _refuse_route)
    app.add_exception_handler(Exception, _refuse_bug)
    answered = {"model": schema.ChatResponse}  # described alone: what is written as bytes is not read again
    app.add_api_route("/v1/chat/completions", _completion(engine), methods=["POST"], responses={200: answered})
    if engine.desk:
        add_video_routes(app, engine.desk, _body)
    app.add_api_route("/v1/models", lambda: _models(engine), methods=["GET"])
    app.add_api_route("/v1/samplers", lambda: engine.health.published(engine.variant), methods=["GET"])
    app.add_api_route("/healthz", lambda: {"status": "ok"}, methods=["GET"])
    app.add_api_route("/readyz", lambda: _ready(engine), methods=["GET"])
    app.add_api_route("/metrics", lambda: _metrics(engine), methods=["GET"])
    return app


def _completion(engine: ServingState) -> Callable[[Request], object]:
    async def completion(request: Request) -> Response:
        deadline = _deadline(request, engine.deadline_seconds)
        body = await _body(request)
        asked = schema.question_of(await asyncio.to_thread(_parse, body) if len(body) > _LONG_BODY else _parse(body))
        arm = _arm(request, engine.arm)
        seen = SeenVideo("" if engine.resolver.is_remote(asked.video.url) else None)
        request.state.seen, request.state.deadline = seen, deadline
        try:
            reply = await while_asked(request, deadline, _answer(engine, asked, arm, deadline, seen))
        except TooLateError:
            await _prepare_later(engine, asked.video.url, deadline.party)
            raise
        return Response(reply, media_type="application/json")

    return completion


async def _answer(
    engine: ServingState, about: schema.AskedAbout, arm: str, deadline: Deadline, seen: SeenVideo
) -> bytes:
    """Fetching has places of its own: a question takes one of the workers' only once its video is here."""
    pipeline, party = engine.loaded(), deadline.party
    started = time.perf_counter()

    def at_once() -> bytes:
        deadline.check()
        result = pipeline.answer(
            video, about.question, arm, deadline=deadline, ingest_seconds=ingest, stretch=about.stretch
        )
        return written(engine.variant, result, seen.digest or "")

    def begin() -> AskedQuestion:
        deadline.check()
        return pipeline.begin(
            video, about.question, arm, deadline=deadline, ingest_seconds=ingest, stretch=about.stretch
        )

    for _ in range(_TRIES):
        video = await _brought(engine, about, deadline, seen)
        ingest = time.perf_counter() - started
        with engine.resolver.keeping(video) as kept:
            if not kept:
                continue
            lane = engine.lanes.lane(video, about.stretch)
            deadline.preparing = not engine.lanes.knows(video, about.stretch)
            try:
                answer = await (
                    _in_parts(engine, lane, begin, seen, party) if pipeline.waits else lane.run(at_once, party)
                )
            except SamplerFailedError as failure:
                engine.health.failed(failure, pipeline.hanging)
                raise
            except (NotAVideoError, MediaBrokenError, MediaTooLargeError):
                engine.resolver.reject(video)
                raise
            engine.lanes.answered(video, about.stretch)
            return answer
    raise UnavailableError("the video is evicted as soon as it is fetched; have the cache enlarged")


async def _brought(engine: ServingState, about: schema.AskedAbout, deadline: Deadline, seen: SeenVideo) -> Video:
    """The video, and the subtitles that were sent with it."""
    video = await asyncio.wrap_future(engine.resolver.submit(about.video.url, deadline, deadline.party))
    if about.video.subtitles_url:
        seen.digest = "" if engine.resolver.is_remote(about.video.subtitles_url) else seen.digest
        captions = await engine.resolver.subtitles(about.video.subtitles_url, deadline, deadline.party)
        video = replace(video, subtitles=captions)
    await seen.add(video)
    return video


async def _prepare_later(engine: ServingState, address: str, party: str) -> None:
    """The queue has the time that the question had not; where it cannot, the question's refusal says enough."""
    if engine.desk:
        with suppress(RefusedError):
            await asyncio.to_thread(engine.desk.submit, address, party=party)


async def _in_parts(
    engine: ServingState,
    lane: Worker,
    begin: Callable[[], AskedQuestion],
    seen: SeenVideo,
    party: str,
) -> bytes:
    """A place of the workers' before and after the sampler, none while it waits for its model."""
    pipeline = engine.loaded()
    with await lane.run(begin, party) as asked:
        selection = await engine.waiting.run(lambda: pipeline.choose(asked))
        return await lane.run(
            lambda: written(engine.variant, pipeline.finish(asked, selection), seen.digest or ""), party
        )


def _deadline(request: Request, longest_seconds: float) -> Deadline:
    """What the caller leaves for the answer, in milliseconds; nonsense and more than the limit are the limit. And whose
    question it is."""
    said = request.headers.get(Header.DEADLINE, "")
    known = said.isascii() and said.isdecimal() and len(said) <= _MOST_DIGITS
    return Deadline(min(int(said) / 1000, longest_seconds) if known else longest_seconds, party_of(request))


async def _body(request: Request) -> bytes:
    """The request's body, read no further than the limit. Raises RefusedError when its sender is gone."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > schema.MAX_BODY_BYTES:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the request has more than {schema.MAX_BODY_BYTES} bytes; send the video by address, not inside",
                )
    except ClientDisconnect:
        refusal = RefusedError("the sender hung up before the body was complete")
        refusal.code = "hung_up"
        raise refusal from None
    return bytes(body)


def _parse(body: bytes) -> schema.ChatRequest:
    try:
        return read_body(schema.ChatRequest, body, furthest=True)
    except BodyFaultError as fault:
        raise BadQuestionError(f"{fault}; send an OpenAI chat completion request") from None


def _arm(request: Request, home: str) -> str:
    """The arm the gateway says; anything unknown counts as this process's own, so that labels stay bounded."""
    said = request.headers.get(Header.ARM, home)
    return said if said in set(Arm) else home


def _models(engine: ServingState) -> dict[str, object]:
    name = engine.variant.metadata.name
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "pitwall"}]}


def _ready(engine: ServingState) -> Response:
    loaded = engine.pipeline is not None
    status = HTTPStatus.OK if loaded else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"status": "ready" if loaded else "loading"}, status)


def _metrics(engine: ServingState) -> Response:
    return Response(engine.telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    code = code_of(request, error)
    _tell(request, error.status, code, error.message)
    kind = "server_error" if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    headers = {"Retry-After": _RETRY_SECONDS} if isinstance(error, UnavailableError) else None
    body = schema.error_json(error.message, kind, code)
    return JSONResponse({**body, **what_was_seen(request, error)}, error.status, headers)


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    _tell(request, error.status_code, code, str(error.detail))
    return JSONResponse(schema.error_json(str(error.detail), "invalid_request_error", code), error.status_code)


async def _refuse_bug(request: Request, error: Exception) -> Response:
    """A bug of ours: the log gets the whole story, the asker one sentence."""
    _tell(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", f"{type(error).__name__}: {error}", error)
    body = schema.error_json("the runtime failed on this question; see its log", "server_error", "internal_error")
    return JSONResponse({**body, **what_was_seen(request, error)}, HTTPStatus.INTERNAL_SERVER_ERROR)


def _tell(request: Request, status: int, code: str, cause: str, error: Exception | None = None) -> None:
    """One line of the log for each question, or other call, that was not answered, under the id that its user saw."""
    level = logging.WARNING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    said = fields(
        answer_id=request.headers.get(Header.ANSWER_ID, "")[:_LONGEST_ID],
        arm=request.headers.get(Header.ARM, "")[:_LONGEST_ID],
        path=request.url.path[:_LONGEST_CAUSE],
        status=int(status),
        code=code,
        cause=cause[:_LONGEST_CAUSE],
    )
    log.log(logging.ERROR if error else level, "not answered", exc_info=error, extra=said)
