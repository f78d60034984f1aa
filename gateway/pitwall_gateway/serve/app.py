"""The gateway's HTTP application: questions, feedback, videos to prepare, models, health and metrics."""

import logging
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Lifespan

from pitwall_crds.host.http.places import vouch
from pitwall_crds.host.logs import fields
from pitwall_crds.host.printable import printable
from pitwall_crds.names import Header, TrialKind
from pitwall_gateway.feedback.feedback import FeedbackReceipt, read_feedback
from pitwall_gateway.pools.upstream import RuntimeExchange
from pitwall_gateway.serve.answering.relay import RelayedAnswer
from pitwall_gateway.serve.http import openapi
from pitwall_gateway.serve.http.leaving import while_wanted
from pitwall_gateway.serve.http.receive import read_body
from pitwall_gateway.serve.http.respond import error_response, respond, telling
from pitwall_gateway.serve.shadowing.copies import Copy
from pitwall_gateway.serve.videos import BATCH, ONE
from pitwall_gateway.serve.wiring import Wiring
from pitwall_gateway.values.answer import VariantAnswer, VariantRefusal
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.question import Question, read_question
from pitwall_gateway.values.speaker import Speaker
from pitwall_gateway.values.videos import VideosSent, read_batch, read_video

log = logging.getLogger(__name__)
FEEDBACK_BYTES: Final = 16_384
"""A hundred times what a thumb takes."""
TRACE: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{1,200})?")
"""`traceparent` (W3C Trace Context, 3.2); versions to come may say more behind it."""
TEXT = "text/plain; version=0.0.4; charset=utf-8"
NO_RUNTIME = "no runtime is ready yet: questions get 503 until a SamplerVariant's pods are"


def build_app(wiring: Wiring) -> FastAPI:
    """The gateway as an ASGI application; its lifespan starts and stops what it is made of."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await wiring.start()
        try:
            yield
        finally:
            await wiring.close()

    app = _bare("Pitwall gateway", lifespan)
    _add_questions(app, wiring)
    _add_feedback(app, wiring)
    _add_videos(app, wiring)
    _add_health(app, wiring)
    return app


def build_metrics_app(wiring: Wiring) -> FastAPI:
    """What the operators of the gateway read, on a port of its own: a run's salt and every arm's counts are in it."""
    app = _bare("Pitwall gateway's metrics")

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Prometheus text."""
        return Response(wiring.telemetry.text(), media_type=TEXT)

    return app


def _bare(title: str, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    app = FastAPI(title=title, version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    _add_errors(app)
    return app


def _add_questions(app: FastAPI, wiring: Wiring) -> None:
    rule = wiring.settings.rules.body

    @app.post("/v1/chat/completions", **openapi.QUESTION)
    async def complete(request: Request) -> Response:
        """An answer by the sampler variant that the flag assigns to this user."""
        try:
            speaker = await _admitted(wiring, request)
            with wiring.admission.place(speaker), wiring.bodies.held(speaker.caller) as room:
                body = await read_body(request, rule, "name the video by its URL and shorten the question", room)
                question = read_question(body, request.headers.get(Header.SESSION, ""), speaker)
                with wiring.admission.user(speaker, question.party):
                    wiring.admission.asked(speaker)
                    return await while_wanted(request, _answer(wiring, request, question))
        except RequestRefusedError as refused:
            wiring.telemetry.refused(None, refused.status)
            raise

    @app.get("/v1/models", responses=openapi.UNAUTHORIZED)
    async def models(request: Request) -> JSONResponse:
        """The one model that a client names; which sampler serves is the flag's matter."""
        await _admitted(wiring, request)
        model: dict[str, Any] = {"id": "pitwall", "object": "model", "created": 0, "owned_by": "pitwall"}
        if wiring.settings.shows_assignment:
            model["pitwall"] = {"flag": wiring.settings.flag, "variants": sorted(wiring.routes_now().variants)}
        return JSONResponse({"object": "list", "data": [model]})


async def _admitted(wiring: Wiring, request: Request) -> Speaker:
    """Who asks, before anything of a body is read; raises RequestRefusedError."""
    speaker = await wiring.authenticator.speaker(request.headers)
    vouch(request.scope, speaker.caller)
    wiring.admission.request(speaker)
    return speaker


async def _answer(wiring: Wiring, request: Request, question: Question) -> Response:
    """The question's answer or error; what is thought of it later is bound to who asked."""
    seconds_left = _seconds_left(request)
    follow_up, answered = wiring.feedback.asked(question.visit), False
    try:
        answer_id = wiring.feedback.new_answer(question)
        headers = _passed_on(request, answer_id)
        served = await wiring.relay.answer(question, headers, seconds_left)
        answered = isinstance(served.reply, VariantAnswer)
    finally:
        wiring.feedback.settle(follow_up, answered=answered)
    shows = wiring.settings.shows_assignment
    told = telling(served, question, shows=shows)
    _log_failure(served, answer_id)
    _log_withheld(served, told, answer_id)
    response = respond(told, question, answer_id, shows=shows)
    if answered:
        wiring.feedback.answered(answer_id, question, served.counted)
        response.background = BackgroundTask(_copy, wiring, question, served, headers)
    return response


def _seconds_left(request: Request) -> float:
    """What the caller says of its patience; endless if it says nothing. Raises RequestRefusedError (400)."""
    said = request.headers.get(Header.DEADLINE, "")
    if not said:
        return math.inf
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise RequestRefusedError(
            400,
            f"{Header.DEADLINE} is {said[:32]!r}; it must be milliseconds, a whole number of at most nine digits",
            code="invalid_deadline",
        )
    return int(said) / 1000


def _log_failure(served: RelayedAnswer, answer_id: str) -> None:
    """One line for each question that its assigned variant did not answer, under the id that its user saw."""
    if served.failure is None:
        return
    answered = isinstance(served.reply, VariantAnswer)
    ended = f"{served.by.arm} answered instead" if answered else "nobody answered"
    said = fields(
        answer_id=answer_id,
        variant=served.assigned.variant,
        arm=served.assigned.arm,
        fault=served.failure.fault,
        cause=served.failure.detail,
    )
    log.warning("%s", ended, extra=said)


def _log_withheld(served: RelayedAnswer, told: RelayedAnswer, answer_id: str) -> None:
    """One line for each refusal whose words the caller did not get."""
    if isinstance(served.reply, VariantRefusal) and served.reply != told.reply:
        words = f"{served.reply.status} {served.reply.code}: {served.reply.message}"
        said = fields(answer_id=answer_id, variant=served.by.variant, arm=served.by.arm, cause=words)
        log.info("refused in words that its caller was not told", extra=said)


def _passed_on(request: Request, answer_id: str) -> dict[str, str]:
    """The headers of a call to a runtime; a caller's credentials are not among them."""
    headers = {"content-type": "application/json", Header.ANSWER_ID: answer_id}
    trace = request.headers.get(Header.TRACE, "")
    if TRACE.fullmatch(trace):  # any other is to be ignored
        headers[Header.TRACE] = trace
    return headers


async def _copy(wiring: Wiring, question: Question, served: RelayedAnswer, headers: dict[str, str]) -> None:
    """Offer shadow copies; runs when the user has the whole answer."""
    if not isinstance(served.reply, VariantAnswer):
        return
    primary, seconds = served.reply.costs if served.comparable else None, served.reply.seconds
    for series in wiring.assigner.copies(question.targeting_key):
        if series.variant not in (served.assigned.variant, served.by.variant):
            counted = wiring.telemetry.weighed(series, TrialKind.COPY, question.party)
            if counted == series:
                wiring.shadow.offer(Copy(counted, question.body, primary, headers, question.party, seconds))


def _add_feedback(app: FastAPI, wiring: Wiring) -> None:
    body_rule = wiring.settings.rules.body
    rule = replace(body_rule, largest_bytes=min(body_rule.largest_bytes, FEEDBACK_BYTES))

    @app.post("/v1/feedback", **openapi.FEEDBACK)
    async def feedback(request: Request) -> FeedbackReceipt:
        """Thumbs on an answer, or the end of a session's task; a repeated one changes nothing."""
        speaker = await _admitted(wiring, request)
        with wiring.bodies.held(speaker.caller) as room:
            body = await read_body(request, rule, "send one answer's feedback alone", room)
            return wiring.feedback.take(read_feedback(body), speaker)


def _add_videos(app: FastAPI, wiring: Wiring) -> None:
    desk = wiring.videos

    async def sent(request: Request, read: Callable[[bytes], VideosSent], to: RuntimeExchange) -> Response:
        speaker = await _admitted(wiring, request)
        desk.check()
        with wiring.admission.place(speaker), wiring.bodies.held(speaker.caller) as room:
            rule = wiring.settings.rules.body
            videos = read(await read_body(request, rule, "name videos by their URLs, some at a time", room))
            wiring.admission.videos(speaker, videos.count)
            return await desk.send(videos, to, speaker)

    @app.post("/v1/videos", status_code=202, **openapi.VIDEO)
    async def send_video(request: Request) -> Response:
        """Have a video prepared before anybody asks; the answer is there at once."""
        return await sent(request, read_video, ONE)

    @app.post("/v1/videos/batch", status_code=202, **openapi.VIDEOS)
    async def send_videos(request: Request) -> Response:
        """Several of them; what is wrong with one does not concern the others."""
        return await sent(request, read_batch, BATCH)

    @app.get("/v1/videos/{video_id}", responses=openapi.VIDEO_FOUND)
    async def video(request: Request, video_id: str) -> Response:
        """Where a video stands that this caller sent."""
        speaker = await _admitted(wiring, request)
        desk.check()
        return await desk.find(video_id, speaker)


def _add_health(app: FastAPI, wiring: Wiring) -> None:
    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", responses={503: {"description": "Where runtimes are is not known yet"}})
    async def readyz() -> Response:
        """It is known where runtimes are, though there may be none yet; none is called. Nobody says who asks here, so
        variants are counted and not named."""
        variants = len(wiring.routes_now().having_urls())
        if variants or not wiring.routes.problem:
            detail = "" if variants else NO_RUNTIME
            return JSONResponse({"status": "ready", "variants": variants, "detail": detail})
        message = "it is not known where runtimes are; wait for the operator, or see the log"
        return error_response(503, message, "no_routes")


def _add_errors(app: FastAPI) -> None:
    """Every error has OpenAI's shape, and none shows a traceback."""

    @app.exception_handler(RequestRefusedError)
    async def refused(_: Request, error: RequestRefusedError) -> Response:
        response = error_response(error.status, error.message, error.code)
        response.headers.update(error.headers)
        return response

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {printable(request.url.path[:200])}: {error.detail}; see GET /openapi.json"
        response = error_response(error.status_code, message, "http_error")
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        log.error("unexpected", exc_info=error)
        return error_response(500, "the gateway failed on this request; its log has the reason", "internal")
