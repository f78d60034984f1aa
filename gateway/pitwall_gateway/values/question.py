"""Reads from a chat completion request the few fields that the gateway needs, and leaves the rest untouched."""

import re
import secrets
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from pitwall_crds.reading.sent import BodyFaultError, read_json
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.speaker import LOCAL, Party, Speaker

_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
KEY_CHARACTERS = 256
"""Longest `user` or session header: it is hashed for every flag and remembered for follow-ups."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question on its way. The targeting key is the user (sticky assignment); the session is one visit of theirs
    (follow-ups). Each stands in for the other where only one is given; without both, the key is random and `user` is
    empty. What a token says of them stands above what the caller writes."""

    body: bytes
    targeting_key: str
    session: str
    user: str = ""
    speaker: Speaker = LOCAL
    stream: bool = False
    stream_usage: bool = False

    @property
    def visit(self) -> str:
        """The session, told from those of other callers."""
        return self.speaker.visit(self.session)

    @property
    def holder(self) -> str:
        """Who may say what they think of its answer."""
        return self.speaker.holder(self.session)

    @property
    def party(self) -> Party:
        """Whose question it is."""
        return self.speaker.party(self.user)


def read_question(body: bytes, session_header: str = "", speaker: Speaker = LOCAL) -> Question:
    """The question in an OpenAI-shaped body; raises RequestRefusedError (400) for what no runtime could answer."""
    document = _parse(body)
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _invalid(f"messages is {_kind(messages)}; it must be a list with at least one message")
    user = speaker.user or _identity("user", document.get("user"))
    session = speaker.session or _identity("x-pitwall-session", session_header) or user
    stream = _stream(document)
    return Question(
        body=_unstreamed(document) if stream else body,
        targeting_key=user or session or secrets.token_hex(16),
        session=session,
        user=user or session,
        speaker=speaker,
        stream=stream,
        stream_usage=stream and _wants_usage(document),
    )


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = read_json(body)
    except BodyFaultError as fault:
        raise _invalid(f"{fault}; send a chat completion request", "json") from None
    if not isinstance(document, dict):
        raise _invalid(f"the body is {_kind(document)}; it must be a JSON object with `messages`", "json")
    return document


def _identity(name: str, value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise _invalid(f"{name} is {_kind(value)}; it must be a string of at most {KEY_CHARACTERS} characters")
    if value and len(value) > KEY_CHARACTERS:
        raise _invalid(
            f"{name} has {len(value)} characters, the limit is {KEY_CHARACTERS}; send a stable id or its hash"
        )
    if value and _NO_TEXT.search(value):
        raise _invalid(f"{name} holds a control character, or half of one; send a stable id or its hash")
    return value or ""


def _stream(document: dict[str, Any]) -> bool:
    stream = document.get("stream")
    if stream is None or isinstance(stream, bool):
        return bool(stream)
    raise _invalid(f"stream is {_kind(stream)}; it must be true or false")


def _wants_usage(document: dict[str, Any]) -> bool:
    options = document.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _unstreamed(document: dict[str, Any]) -> bytes:
    kept = {key: value for key, value in document.items() if key not in ("stream", "stream_options")}
    return to_json(kept, inf_nan_mode="null")


def _kind(value: object) -> str:
    names = {type(None): "missing", bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    if value == []:
        return "an empty list"
    return names.get(type(value), "a number")


def _invalid(message: str, code: str = "invalid_body") -> RequestRefusedError:
    return RequestRefusedError(400, message, code=code)
