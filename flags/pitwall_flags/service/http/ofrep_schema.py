"""Describes the OFREP endpoints in the OpenAPI document (their bodies are read by hand, for speed)."""

from typing import Any, Final

from pitwall_flags.service.http.answer import documented

_METADATA = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}

_REASONS = ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"]

_SUCCESS = {
    "type": "object",
    "required": ["key", "reason", "variant"],
    "not": {"required": ["errorCode"]},
    "properties": {
        "key": {"type": "string"},
        "value": {},
        "reason": {"enum": _REASONS},
        "variant": {"type": "string"},
        "metadata": _METADATA,
    },
}

_CODES = ["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]


def _failure(required: list[str], codes: list[str]) -> dict[str, Any]:
    properties = {
        "key": {"type": "string"},
        "errorCode": {"enum": codes},
        "errorDetails": {"type": "string"},
    }
    return {"type": "object", "required": required, "properties": properties}


_EVENT_STREAM = {
    "type": "object",
    "required": ["type", "endpoint"],
    "properties": {
        "type": {"const": "sse"},
        "endpoint": {"type": "object", "required": ["requestUri"], "properties": {"requestUri": {"type": "string"}}},
        "inactivityDelaySec": {"type": "integer", "minimum": 1},
    },
}

_BULK_SUCCESS = {
    "type": "object",
    "required": ["flags"],
    "properties": {
        "flags": {"type": "array", "items": {"oneOf": [_SUCCESS, _failure(["key", "errorCode"], _CODES)]}},
        "metadata": _METADATA,
        "eventStreams": {"type": "array", "items": _EVENT_STREAM},
    },
}

_REQUEST = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["context"],
                "properties": {
                    "context": {
                        "type": "object",
                        "required": ["targetingKey"],
                        "properties": {"targetingKey": {"type": "string", "minLength": 1}},
                    }
                },
            }
        }
    },
}


def _json(description: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": body}}}


_REFUSALS = {str(status): answer for status, answer in documented(401, 403, 413, 429).items()}

_NOT_FOUND = _json("No such flag.", _failure(["key", "errorCode"], ["FLAG_NOT_FOUND"]))

SINGLE: Final[dict[str, Any]] = {
    "requestBody": _REQUEST,
    "responses": {
        **_REFUSALS,
        "200": _json("The flag's value for this context.", _SUCCESS),
        "400": _json("The context or the flag cannot be used.", _failure(["key", "errorCode"], _CODES)),
        "404": _NOT_FOUND,
    },
}

BULK: Final[dict[str, Any]] = {
    "requestBody": _REQUEST,
    "parameters": [{"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}],
    "responses": {
        **_REFUSALS,
        "200": _json("All flags for this context.", _BULK_SUCCESS),
        "304": {"description": "The same result as the one with this ETag."},
        "400": _json("The context cannot be used.", _failure(["errorCode"], _CODES)),
    },
}

EVENTS: Final[dict[str, Any]] = {
    "responses": {
        **_REFUSALS,
        "200": {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
    }
}
