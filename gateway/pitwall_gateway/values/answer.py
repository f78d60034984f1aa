"""Reads a runtime's reply as one of three outcomes: an answer, a refusal or a failure."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TRANSIENT = frozenset({408, 425, 429})
"""Client-error statuses that are the runtime's state, not the question's fault."""


class FailureKind(StrEnum):
    """Why a variant did not answer; the values of the fallback header and of the label `reason`."""

    UNROUTED = "unrouted"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STATUS = "status"
    MALFORMED = "malformed"
    SATURATED = "saturated"
    CIRCUIT_OPEN = "circuit-open"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class VariantAnswer:
    """A chat completion, byte for byte. `seconds` of the call; `tokens` and `cache` are 0 and "" when not told."""

    body: bytes
    document: dict[str, Any]
    seconds: float
    tokens: int = 0
    cache: str = ""


@dataclass(frozen=True, slots=True)
class VariantRefusal:
    """The runtime's own error for a bad question (4xx), byte for byte."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class VariantFailure:
    """No answer. `detail` is for people: who, what, and the limit if one was passed."""

    fault: FailureKind
    detail: str


Reply = VariantAnswer | VariantRefusal | VariantFailure


def read_reply(status: int, body: bytes, seconds: float) -> Reply:
    """The outcome that an HTTP status and body stand for."""
    if status in TRANSIENT or status >= 500:
        return VariantFailure(FailureKind.STATUS, f"its runtime says {status}: {_words(body)}")
    if 400 <= status < 500:
        return VariantRefusal(status, body)
    document = _object(body)
    if status != 200 or not _has_choices(document):
        return VariantFailure(FailureKind.MALFORMED, f"its runtime sent status {status} without a chat completion")
    details = document.get("pitwall")
    if not isinstance(details, dict):
        return VariantAnswer(body, document, seconds)
    tokens, cache = details.get("tokens"), details.get("cache")
    return VariantAnswer(
        body, document, seconds, tokens if isinstance(tokens, int) else 0, cache if isinstance(cache, str) else ""
    )


def _has_choices(document: dict[str, Any]) -> bool:
    choices = document.get("choices")
    return isinstance(choices, list) and bool(choices) and all(isinstance(choice, dict) for choice in choices)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _words(body: bytes) -> str:
    """The message of an OpenAI-shaped error, or the beginning of whatever was sent."""
    error = _object(body).get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return str(message) if message else body[:200].decode(errors="replace")
