"""The HTTP side of the ingest queue: send videos to be prepared, and see where they stand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from pitwall_crds.names import Header
from pitwall_crds.reading.faults import read_body
from pitwall_crds.reading.sent import BodyFaultError
from pitwall_runtime.errors import BadQuestionError, MediaMissingError, RefusedError
from pitwall_runtime.ingest.desk import IngestDesk
from pitwall_runtime.ingest.queue.book import VideoRecord, VideoState
from pitwall_runtime.serve.schema import Part, Url, error_json

MAX_BATCH = 1000
MAX_OWNER = 128
_LONGEST_PARTY = 64

Asked = TypeVar("Asked", bound=BaseModel)


class VideoRequest(Part):
    """One video to prepare."""

    url: Url


class BatchRequest(Part):
    """Several of them."""

    urls: Annotated[tuple[Url, ...], Field(min_length=1, max_length=MAX_BATCH, fail_fast=True)]


class VideoOut(Part):
    """Where a video stands. `variants`: the share of its frames that is embedded, 0 to 1, by variant; `progress`: the
    mean of them. In the answer to a batch `variants` is empty."""

    id: str
    object: str = "video"
    status: VideoState
    content_hash: str
    seconds: float
    progress: float
    variants: Mapping[str, float]
    attempts: int
    error: Mapping[str, str] | None
    created_at: int
    updated_at: int


def add_video_routes(app: FastAPI, desk: IngestDesk, body_of: Callable[[Request], Awaitable[bytes]]) -> None:
    """`POST /v1/videos`, `POST /v1/videos/batch`, `GET /v1/videos/{id}`; `body_of` reads a body within its limit."""

    async def submit(request: Request) -> Response:
        asked = _parsed(VideoRequest, await body_of(request))
        record = await asyncio.to_thread(desk.submit, asked.url, _owner(request), party_of(request))
        return JSONResponse(_out(record), HTTPStatus.ACCEPTED)

    async def submit_batch(request: Request) -> Response:
        asked = _parsed(BatchRequest, await body_of(request))
        owner, party = _owner(request), party_of(request)
        data = await asyncio.to_thread(lambda: [_submitted(desk, url, owner, party) for url in asked.urls])
        return JSONResponse({"object": "list", "data": data}, HTTPStatus.ACCEPTED)

    async def find(request: Request, video_id: str) -> Response:
        record = await asyncio.to_thread(desk.find, video_id, _owner(request))
        if record is None:
            raise MediaMissingError("there is no video of this id; send its url with POST /v1/videos first")
        return JSONResponse(_out(record))

    app.add_api_route("/v1/videos", submit, methods=["POST"])
    app.add_api_route("/v1/videos/batch", submit_batch, methods=["POST"])
    app.add_api_route("/v1/videos/{video_id}", find, methods=["GET"])


def _parsed(kind: type[Asked], body: bytes) -> Asked:
    try:
        return read_body(kind, body)
    except BodyFaultError as fault:
        raise BadQuestionError(f'{fault}; send {{"url": …}}, or {{"urls": […]}} to /batch') from None


def _owner(request: Request) -> str:
    """Whose videos these are, in the gateway's word; who asks a runtime directly is one of all who do."""
    return request.headers.get(Header.OWNER, "")[:MAX_OWNER]


def party_of(request: Request) -> str:
    """Who asks, in the gateway's word: a caller and, behind a dot, a user; empty where nobody says."""
    return request.headers.get(Header.PARTY, "")[:_LONGEST_PARTY]


def _submitted(desk: IngestDesk, url: str, owner: str, party: str) -> dict[str, Any]:
    """One of a batch: what is wrong with it does not concern the others. How far each variant is, which of a thousand
    videos would be long, is told of one at a time."""
    try:
        return {**_out(desk.submit(url, owner, party)), "variants": {}}
    except RefusedError as refusal:
        return error_json(refusal.message, "invalid_request_error", refusal.code)


def _out(record: VideoRecord) -> dict[str, Any]:
    error = {"code": record.error_code, "message": record.error} if record.error else None
    return VideoOut(
        id=record.id,
        status=record.state,
        content_hash=record.content_hash,
        seconds=record.seconds,
        progress=round(sum(record.variants.values()) / max(1, len(record.variants)), 3),
        variants=record.variants,
        attempts=record.attempts,
        error=error,
        created_at=int(record.created_at),
        updated_at=int(record.updated_at),
    ).model_dump(mode="json")
