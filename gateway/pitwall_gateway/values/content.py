"""Tells answers from what only looks like one: a chat completion in which nothing is said."""

import unicodedata
from typing import Any, Final

SEEN: Final = frozenset("LNPS")
"""Unicode's letters, numbers, punctuation and symbols; marks alone, spaces, controls and formats show nothing."""
BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc")
"""Letters and symbols by their category that are blank all the same: Hangul's fillers, Braille without a dot, and the
place of an object that is not there."""


def says_something(choices: list[dict[str, Any]]) -> bool:
    """Whether each choice has words or sound, calls a tool or says why it refuses. Who shows one choice shows any."""
    return all(_is_said(choice.get("message")) for choice in choices)


def _is_said(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    if _is_visible(message.get("content")) or _is_visible(message.get("refusal")) or _is_heard(message.get("audio")):
        return True
    calls, call = message.get("tool_calls"), message.get("function_call")
    return (isinstance(calls, list) and any(map(_is_call, calls))) or (isinstance(call, dict) and _names(call))


def _is_visible(content: object) -> bool:
    """Words, or a list of parts of which one has some."""
    if isinstance(content, list):
        return any(isinstance(part, dict) and _is_visible(part.get("text", part.get("refusal"))) for part in content)
    return isinstance(content, str) and any(_is_seen(character) for character in set(content))


def _is_heard(audio: object) -> bool:
    """Whoever speaks writes nothing, or has its words in a choice beside."""
    return isinstance(audio, dict) and (_is_visible(audio.get("data")) or _is_visible(audio.get("transcript")))


def _is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] in SEEN and character not in BLANK


def _is_call(call: object) -> bool:
    return isinstance(call, dict) and any(_names(call.get(kind)) for kind in ("function", "custom"))


def _names(function: object) -> bool:
    return isinstance(function, dict) and _is_visible(function.get("name"))
