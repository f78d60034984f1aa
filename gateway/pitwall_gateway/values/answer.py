"""Reads a runtime's reply as one of three outcomes: an answer, a refusal or a failure."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from pydantic_core import from_json

from pitwall_crds.names import CacheResult
from pitwall_crds.reading.sent import has_more_values
from pitwall_gateway.values.content import says_something

TRANSIENT = frozenset({408, 425, 429})
"""Client-error statuses that are the runtime's state, not the question's fault."""

LATE = frozenset({408, 504})
"""Statuses of a runtime that had too little time."""

NO_QUEUE = frozenset({"queue_full", "queue_unavailable"})
"""Codes by which a runtime refuses a video for now, though it is well itself."""

UNKNOWN_HOST: Final = "host_unknown"
"""Code by which a runtime says that no name server gives an address for the video's host."""

OF_VIDEOS = frozenset(
    {"media_origin", "media_missing", "media_too_large", "media_broken", "not_a_video", "bad_subtitles", UNKNOWN_HOST}
)
"""Codes by which a runtime says that the video or its server is at fault."""

LONGEST_CODE = 64
LONGEST_WORDS = 1_000
"""Characters of a runtime's error that are told on."""

LONGEST_DIGEST = 160

FAIR_PART: Final = 1 / 2
"""Of the usual time; who had so much of it was not hurried."""
FAIR_TIMES: Final = 10
"""Of what stable took for the same question; who had so many was not hurried either, if it was no less than"""
LEAST_FAIR_SECONDS: Final = 5.0
"""by which a runtime that is well has said what it is about."""

MOST_VALUES: Final = 1 << 16
"""In one reply; most of them are frames, and stretches of a film that are damaged."""

LARGEST_AMOUNT = 1e12
"""Seconds or tokens of one answer; whatever tells more is mistaken, and would drown all the others."""


class FailureKind(StrEnum):
    """Why a variant did not answer; the values of the fallback header and of the label `reason`."""

    UNROUTED = "unrouted"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STATUS = "status"
    MALFORMED = "malformed"
    EMPTY = "empty"
    SATURATED = "saturated"
    CIRCUIT_OPEN = "circuit-open"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class VariantAnswer:
    """A chat completion, or what is known of a video, byte for byte. `seconds` of the call; what it does not tell of
    its cost is None, or "". `video`: the digest of what it is about."""

    body: bytes
    document: dict[str, Any]
    seconds: float
    tokens: int | None = None
    cache: str = ""
    selection_seconds: float | None = None
    encoder_seconds: float | None = None
    video: str = ""

    @property
    def costs(self) -> "VariantAnswer":
        """What copies are compared with, while they wait for their turn: without the words."""
        return replace(self, body=b"", document={})


@dataclass(frozen=True, slots=True)
class VariantRefusal:
    """The runtime's own error for a bad question (4xx), or for a video that its queue does not take now (503): its
    words to the caller. `video`: the digest of what was asked about, empty where its server had not given it, None
    where that is not told."""

    status: int
    message: str
    code: str
    video: str | None = None


@dataclass(frozen=True, slots=True)
class VariantFailure:
    """No answer. `detail` is for those who read the log: who, what, and the limit if one was passed. `counts` is
    whether it says something of the variant, `reached` whether any pod may have got the question. `late`: for want
    of time; `preparing`: while it made of the video for the first time what questions need. `video` and `code` as of a
    refusal."""

    fault: FailureKind
    detail: str
    counts: bool = True
    reached: bool = True
    late: bool = False
    video: str | None = None
    preparing: bool = False
    code: str = ""


Reply = VariantAnswer | VariantRefusal | VariantFailure


def read_reply(status: int, body: bytes, seconds: float) -> Reply:
    """The outcome that an HTTP status and body stand for."""
    return _read(status, body, _object(body), seconds)


def _read(status: int, body: bytes, document: dict[str, Any], seconds: float) -> Reply:
    if status in TRANSIENT or status >= 500:
        words = f"its runtime says {status}: {_words(document, body)}"
        video, preparing = _video(document), _details(document).get("preparing") is True
        code = _code(document)
        return VariantFailure(
            FailureKind.STATUS, words, late=status in LATE, video=video, preparing=preparing, code=code
        )
    if 400 <= status < 500:
        return _refusal(status, document)
    if status != 200 or not _has_choices(document):
        return VariantFailure(FailureKind.MALFORMED, f"its runtime sent status {status} without a chat completion")
    if not says_something(document["choices"]):
        return VariantFailure(FailureKind.EMPTY, "its runtime sent a chat completion in which nothing is said")
    details = _details(document)
    tokens, cache, stages = details.get("tokens"), details.get("cache"), details.get("stages")
    return VariantAnswer(
        body,
        document,
        seconds,
        tokens=tokens if isinstance(tokens, int) and _amount(tokens) is not None else None,
        cache=cache if isinstance(cache, str) else "",
        selection_seconds=_amount(details.get("frame_selection_seconds")),
        encoder_seconds=_amount(stages.get("encode")) if isinstance(stages, dict) else None,
        video=_video(document) or "",
    )


def blames_video(failed: VariantFailure | VariantRefusal, answer: VariantAnswer) -> bool:
    """Whether a variant says that its failure is the fault of a video, or its server, which stable answered about: that
    it was not given, or another one than stable had. That is the variant's own word. What it has to fetch and load for
    itself, and who tells nothing, is at fault alone."""
    if failed.video is None:
        return False
    if failed.video:
        return answer.video not in ("", failed.video)
    return failed.code in OF_VIDEOS or (isinstance(failed, VariantFailure) and failed.late)


def is_fair(failure: VariantFailure, answer: VariantAnswer, given: float, usual: float) -> bool:
    """Whether a failure may speak against a variant where stable then answered the same question. Of one for want of
    time much was left: half of the usual time, or many times what stable took."""
    return not failure.late or given >= min(FAIR_PART * usual, max(LEAST_FAIR_SECONDS, FAIR_TIMES * answer.seconds))


def had_less_to_do(failure: VariantFailure, answer: VariantAnswer) -> bool:
    """Whether stable had prepared already what the variant had yet to: that film is new to it, which is no sampler's
    doing."""
    return failure.late and failure.preparing and answer.cache == CacheResult.WARM


def read_record(status: int, body: bytes, seconds: float) -> Reply:
    """The outcome of a call about videos to prepare: what the runtime knows of them, or why it does not take them."""
    document = _object(body)
    if status in (200, 202) and document:
        return VariantAnswer(body, document, seconds)
    error = document.get("error")
    if status == 503 and isinstance(error, dict) and error.get("code") in NO_QUEUE:
        return _refusal(status, document)
    return _read(status, body, document, seconds)


def _amount(value: object) -> float | None:
    """A number that can be added up for years, or None. JSON as Python reads it knows NaN, infinity and any integer."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= LARGEST_AMOUNT:
        return None
    return value


def _has_choices(document: dict[str, Any]) -> bool:
    choices = document.get("choices")
    return isinstance(choices, list) and bool(choices) and all(isinstance(choice, dict) for choice in choices)


def _object(body: bytes) -> dict[str, Any]:
    if has_more_values(body, MOST_VALUES):
        return {}
    try:
        document = from_json(body)  # with NaN, which is for those to judge who read a number
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _refusal(status: int, document: dict[str, Any]) -> VariantRefusal:
    error = document.get("error")
    said = error if isinstance(error, dict) else {}
    message = said.get("message")
    if not isinstance(message, str) or not message:
        message = f"the question was refused ({status}) without a reason"
    return VariantRefusal(status, message[:LONGEST_WORDS], _code(document) or "refused", _video(document))


def _code(document: dict[str, Any]) -> str:
    """The code of an OpenAI-shaped error; empty if it has none."""
    error = document.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code[:LONGEST_CODE] if isinstance(code, str) else ""


def _video(document: dict[str, Any]) -> str | None:
    """The digest of the video that the runtime had, as it tells it; None if it does not."""
    video = _details(document).get("video")
    return video[:LONGEST_DIGEST] if isinstance(video, str) else None


def _details(document: dict[str, Any]) -> dict[str, Any]:
    details = document.get("pitwall")
    return details if isinstance(details, dict) else {}


def _words(document: dict[str, Any], body: bytes) -> str:
    """The message of an OpenAI-shaped error, or the beginning of whatever was sent; for the log."""
    error = document.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return str(message)[:LONGEST_WORDS] if message else body[:200].decode(errors="replace")
