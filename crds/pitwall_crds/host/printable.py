"""Spells out what a stranger's text could do to a terminal, a log or an event, leaves the rest as it is, and shortens.

Spelled out is what has no picture: control characters, line ends, changes of direction, marks without width, tags,
halves of characters, and what Unicode has not assigned or leaves to private use.
"""

import unicodedata
from collections.abc import Callable
from typing import Final

_NON_JOINER: Final = "\u200c"
_JOINER: Final = "\u200d"
_VIRAMA: Final = 9
"""The combining class of the sign that takes an Indic letter's vowel away."""


def printable(text: str) -> str:
    """The text with what cannot be seen, line ends too, spelled out as Python spells it."""
    return spelled_out(text, _as_python)


def printable_lines(text: str) -> str:
    """The same of a text of several lines, whose line ends stay."""
    return "\n".join(map(printable, text.split("\n")))


def shortened(text: str, most: int) -> str:
    """The text in at most so many characters; where something is left out, it ends in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 2].rstrip()} …"


def spelled_out(text: str, spell: Callable[[str], str]) -> str:
    """The text with each character that cannot be seen as `spell` writes it."""
    if text.isprintable():
        return text
    return "".join(spell(one) if _is_unseen(text, index) else one for index, one in enumerate(text))


def _is_unseen(text: str, index: int) -> bool:
    one = text[index]
    if one.isprintable() or unicodedata.category(one) == "Zs":
        return False
    return not (one in (_JOINER, _NON_JOINER) and _joins(one, text[index - 1 : index], text[index + 1 : index + 2]))


def _joins(one: str, before: str, after: str) -> bool:
    """Whether a mark without width has a use where it stands: by a virama or between Arabic letters, as RFC 5892 lets
    it stand in a name, or within an emoji. Anywhere else it makes of one name another that looks the same."""
    if not before or not after:
        return False
    if _VIRAMA in (unicodedata.combining(before), unicodedata.combining(after)):
        return True
    if one == _NON_JOINER:
        return unicodedata.bidirectional(before) in ("AL", "NSM") and unicodedata.bidirectional(after) == "AL"
    return _is_emoji(before) and _is_emoji(after)


def _is_emoji(one: str) -> bool:
    """A picture, its color of skin, or the mark that asks for colors."""
    return unicodedata.category(one) == "So" or "\U0001f3fb" <= one <= "\U0001f3ff" or one == "\ufe0f"


def _as_python(one: str) -> str:
    return one.encode("unicode_escape").decode()
