"""Spells out what a stranger's text could do to a terminal, a log or an event, and leaves the rest as it is."""

import re
from typing import Final

_UNSEEN: Final = "\u2028\u2029\u202a-\u202e\u2066-\u2069"
CONTROL: Final = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f{_UNSEEN}]")
"""Control characters, line ends among them, and changes of direction."""
_CONTROL_IN_LINES: Final = re.compile(f"[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f{_UNSEEN}]")


def printable(text: str) -> str:
    """The text with its control characters, line ends and changes of direction spelled out, as Python spells them."""
    return CONTROL.sub(_spelled, text)


def printable_lines(text: str) -> str:
    """The same of a text of several lines, whose line ends stay."""
    return _CONTROL_IN_LINES.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
