"""Says what callers are told of a runtime's refusal: whoever made its image wrote those words.

They may be of the caller's own request alone: of no variant, and of no address or path that the caller did not name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pitwall_gateway.values.answer import UNKNOWN_HOST, VariantRefusal


@dataclass(frozen=True, slots=True)
class OwnRefusal:
    """A refusal as Pitwall's runtimes know it; the words stand where the runtime's own may not be told."""

    status: int
    words: str


REFUSALS: Final[Mapping[str, OwnRefusal]] = {
    "bad_question": OwnRefusal(400, "the request is wrong; see what a question about a video must hold"),
    "media_refused": OwnRefusal(400, "the video's address may not be read; give a public one"),
    "media_missing": OwnRefusal(404, "there is no video at this address; check it"),
    "media_too_large": OwnRefusal(413, "the video is too large or too long; send a smaller one"),
    "not_a_video": OwnRefusal(415, "what is at the address is no video that can be decoded; send the video itself"),
    "unsupported_video": OwnRefusal(415, "the video cannot be shown rightly; re-encode it as MP4 with H.264"),
    "bad_subtitles": OwnRefusal(415, "the subtitles cannot be read; send plain cues as .srt or .vtt"),
    "media_broken": OwnRefusal(422, "the video is damaged or cannot be decoded in time; send it again"),
    "media_origin": OwnRefusal(424, "the video's server does not give it; check the address, or use another server"),
    "queue_full": OwnRefusal(503, "the queue of videos is full; try again later"),
    "queue_unavailable": OwnRefusal(503, "the queue of videos does not answer; try again later"),
}
"""By code: all that a question, or a video to prepare, may be refused for."""

REFUSED: Final = "refused"
NOT_READ: Final = "media_refused"
EXAMPLE: Final = "host"
"""Of words that say how to write an address."""

_ADDRESSES: Final = (
    re.compile(r"[a-z][a-z0-9+.-]{0,20}://([\w\[][^\s/'\"?#<>,;]*)", re.IGNORECASE),
    re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.]*\d)"),
    re.compile(r"(\[[0-9a-f:.]{2,45}\])", re.IGNORECASE),
    re.compile(r"(?<![\w.-])([a-z][\w.-]{0,252}:\d{2,5})(?!\d)", re.IGNORECASE),
    re.compile(r"(?<![\w.-])([\w.-]{1,253}\.(?:svc|local|internal|cluster|localdomain))(?!\w)", re.IGNORECASE),
    re.compile(r"(?<![\w.:/)])(/\w[\w.@%+~/-]*)"),
)
"""Addresses, names and paths."""


def told(refusal: VariantRefusal, asked: bytes, names: Iterable[str] = ()) -> VariantRefusal:
    """The refusal as its caller may read it.

    Args:
        asked: the caller's own request; what it names may be told.
        names: variants that the caller shall not learn of.
    """
    refusal = _as_told(refusal)
    own = REFUSALS.get(refusal.code)
    if own is None or own.status != refusal.status:
        return replace(refusal, message=f"the question was refused ({refusal.status})", code=REFUSED)
    request = asked.decode(errors="replace").lower()
    if any(word.lower() not in request for word in _telling(refusal.message, names)):
        return replace(refusal, message=own.words)
    return refusal


def in_own_words(refusal: VariantRefusal) -> VariantRefusal:
    """The refusal in Pitwall's words, whatever the runtime's are."""
    refusal = _as_told(refusal)
    own, plain = REFUSALS.get(refusal.code), told(refusal, b"")
    return replace(plain, message=own.words) if own is not None and plain.code == refusal.code else plain


def _as_told(refusal: VariantRefusal) -> VariantRefusal:
    """No asker learns which names exist inside: one that nobody knows is told like one that may not be asked."""
    return replace(refusal, code=NOT_READ) if refusal.code == UNKNOWN_HOST else refusal


def _telling(message: str, names: Iterable[str]) -> Iterator[str]:
    """What the message names of addresses, paths and variants."""
    for pattern in _ADDRESSES:
        yield from (found for found in pattern.findall(message) if found != EXAMPLE)
    for name in names:
        if name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message, re.IGNORECASE):
            yield name
