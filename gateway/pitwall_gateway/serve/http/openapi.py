"""Describes, in the OpenAPI document, the request bodies that the gateway parses by itself for speed."""

from typing import Any

from pitwall_gateway.feedback.feedback import FeedbackBody
from pitwall_gateway.values.videos import MAX_BATCH

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "code": {"type": "string"}},
        }
    },
}

REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "model": {"type": "string"},
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "user": {"type": "string", "maxLength": 256, "description": "Targeting key and session."},
        "stream": {"type": "boolean", "description": "The whole answer as one event."},
    },
    "additionalProperties": True,
}


def _errors(**descriptions: str) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": ERROR}}
    return {
        int(status[1:]): {"description": words, "content": content} for status, words in sorted(descriptions.items())
    }


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


QUESTION: dict[str, Any] = {
    "openapi_extra": _body(REQUEST),
    "responses": {
        200: {
            "description": "An OpenAI chat completion",
            "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
        },
        **_errors(
            s400="Not a question", s401="Not a caller", s404="No such video", s408="The body did not arrive",
            s413="Too large", s415="Not a video", s422="Not decodable", s429="Too many", s502="No runtime answered",
            s503="No runtime", s504="Too late",
        ),
    },
}  # fmt: skip

UNAUTHORIZED = _errors(s401="Not a caller", s429="Too many")

FEEDBACK: dict[str, Any] = {
    "openapi_extra": _body(FeedbackBody.model_json_schema()),
    "responses": _errors(
        s400="Not feedback",
        s401="Not a caller",
        s404="Unknown answer or session",
        s408="Too slow",
        s413="Too large",
        s429="Too many",
    ),
}

VIDEO_RECORD: dict[str, Any] = {
    "type": "object",
    "required": ["id", "status"],
    "properties": {
        "id": {"type": "string"},
        "object": {"type": "string"},
        "status": {"enum": ["queued", "fetching", "decoding", "encoding", "ready", "failed"]},
        "seconds": {"type": "number"},
        "variants": {"type": "object", "additionalProperties": {"type": "number"}},
        "error": {"anyOf": [{"type": "object"}, {"type": "null"}]},
    },
}


def _taken(schema: dict[str, Any], code: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"description": "Where it stands", "content": {"application/json": {"schema": schema}}}}


_NOT_TAKEN = _errors(
    s400="No address", s401="Not a caller", s404="No videos are taken here", s408="The body did not arrive",
    s413="Too large", s429="Too many", s502="No runtime answered", s503="The queue is full or away", s504="Too late",
)  # fmt: skip

VIDEO: dict[str, Any] = {
    "openapi_extra": _body({"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}}),
    "responses": {**_taken(VIDEO_RECORD, 202), **_NOT_TAKEN},
}

VIDEOS: dict[str, Any] = {
    "openapi_extra": _body(
        {
            "type": "object",
            "required": ["urls"],
            "properties": {
                "urls": {"type": "array", "minItems": 1, "maxItems": MAX_BATCH, "items": {"type": "string"}}
            },
        }
    ),
    "responses": {
        **_taken({"type": "object", "properties": {"data": {"type": "array", "items": VIDEO_RECORD}}}, 202),
        **_NOT_TAKEN,
    },
}

VIDEO_FOUND: dict[int | str, dict[str, Any]] = {
    **_taken(VIDEO_RECORD, 200),
    **_errors(
        s401="Not a caller", s404="No video of this caller", s429="Too many", s502="No runtime answered",
        s503="The queue is away", s504="Too late",
    ),
}  # fmt: skip
