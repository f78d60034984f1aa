"""Reads JSON that somebody sent, after a bound on how many values it holds."""

import codecs
import sys
from typing import Any, Final

from pydantic_core import from_json

from pitwall_crds.reading.json_words import json_fault

MOST_VALUES: Final = 1 << 15
"""In one body: 256 messages of 32 parts of text have 25 857. To make a value costs up to a thousand times as much as
its bytes, and no other request is served meanwhile: the parser leaves its thread's lock to nobody."""

LONGEST_INTEGER: Final = int(sys.float_info.max)
_SHAPES: Final = bytes(0x30 if chr(n).isdigit() else 0x65 if chr(n) in "eE" else 0x20 for n in range(128)) + b" " * 128
"""Each digit as 0, and what begins an exponent as e."""


class BodyFaultError(ValueError):
    """A body is not what it must be; the words say where and why."""


def read_json(body: bytes, most: int = MOST_VALUES) -> object:
    """What the body holds, in UTF-8 and strict JSON, its numbers no larger than a double holds: others who read JSON
    refuse what has larger ones whole. Raises BodyFaultError."""
    if has_more_values(body, most):
        raise BodyFaultError(f"the body has more than {most} fields and entries, the limit; send less at a time")
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BodyFaultError(f"the body is not JSON ({_why(body, error)})") from None
    if _may_be_huge(body) and has_huge_number(found):
        raise BodyFaultError(
            "the body holds a number beyond 1.8e308, the largest that JSON's readers have; send it as a string"
        )
    return found


def _may_be_huge(body: bytes) -> bool:
    """Whether it has what the text of a number beyond a double has, and other texts may: 200 digits, or an exponent of
    three. A regular expression takes ten times as long."""
    shapes = body.translate(_SHAPES, b"+")
    return b"e000" in shapes or b"0" * 200 in shapes


def has_huge_number(value: Any) -> bool:
    """Whether a number in it is beyond a double, an integer or what was read as infinite."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, int | float) and not -LONGEST_INTEGER <= part <= LONGEST_INTEGER:
            return True
    return False


def has_more_values(body: bytes, most: int) -> bool:
    """Whether commas and opening brackets are more than so many: each begins one field or entry at most. Those within
    texts do not count, and are looked for only where it matters."""
    if _beginnings(body) <= most:
        return False
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > 4 * most + 2:  # quotes around each field's name and text, and around the whole
        return True
    return _beginnings(b"".join(bare.split(b'"')[::2])) > most


def _beginnings(text: bytes) -> int:
    return text.count(b",") + text.count(b"{") + text.count(b"[")


def _why(body: bytes, error: ValueError) -> str:
    if body.startswith(codecs.BOM_UTF8):
        return "it begins with a byte order mark (BOM); leave it out"
    try:
        body.decode()
    except UnicodeDecodeError as not_text:
        return json_fault(not_text)
    return json_fault(error)
