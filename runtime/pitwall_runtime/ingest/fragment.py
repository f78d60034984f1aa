"""Reads which part of a video an address is about: `film.mp4#t=60,120` (W3C, Media Fragments URI 1.0, 4.2.1)."""

import re
from urllib.parse import parse_qsl

from pitwall_runtime.errors import BadQuestionError
from pitwall_runtime.ingest.fetch.origin import shown
from pitwall_runtime.media import WHOLE, Stretch

_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?([0-5]?\d):)?(\d{1,9}(?:\.\d{0,9})?)", re.ASCII)
"""Normal play time: seconds, mm:ss or hh:mm:ss, each with a fraction or without."""


def stretch_of(url: str) -> tuple[str, Stretch]:
    """The address without its fragment, and what of the video is meant; dimensions other than time are passed over.

    Raises BadQuestionError for a time that cannot be read, or that ends before it begins.
    """
    address, _, fragment = url.partition("#")
    times = [value for name, value in parse_qsl(fragment, keep_blank_values=True) if name == "t"]
    return address, _stretch(times[-1], url) if times else WHOLE  # of several the last one counts


def _stretch(text: str, url: str) -> Stretch:
    start, _, end = text.removeprefix("npt:").partition(",")
    try:
        found = Stretch(_seconds(start) if start else 0.0, _seconds(end) if end else WHOLE.end_seconds)
    except ValueError:
        found = None
    if not (start or end) or found is None or found.start_seconds >= found.end_seconds:
        raise BadQuestionError(
            f"{shown(url)}: #t={text[:64]!r} is no part of a video; write #t=START,END in seconds or as 1:02:03, "
            "the start before the end, either may be left out"
        )
    return found


def _seconds(text: str) -> float:
    matched = _CLOCK.fullmatch(text)
    if not matched:
        raise ValueError(text)
    hours, minutes, seconds = (float(part or 0) for part in matched.groups())
    if matched[2] and seconds >= 60:
        raise ValueError(text)
    return hours * 3600 + minutes * 60 + seconds
