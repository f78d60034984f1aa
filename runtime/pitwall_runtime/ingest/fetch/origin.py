"""Says in the asker's terms what a video's server answered: a login, a missing file, an overload, a web page."""

import codecs
import math
import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from pitwall_runtime.errors import (
    MediaAwayError,
    MediaBusyError,
    MediaClosedError,
    MediaMissingError,
    MediaOriginError,
    NotAVideoError,
    RefusedError,
)

HEAD_BYTES: Final = 1024
"""As much of a file's beginning as tells what it is not."""

_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_CLOSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})
_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

_WITHHELD: Final[Mapping[int, str]] = {
    HTTPStatus.PAYMENT_REQUIRED: "its server wants to be paid for it",
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: "its server may not give it out, at least not here, for legal reasons",
}

_AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.TOO_EARLY})
"""What says nothing of the file, but that this request came to nothing."""

_USER: Final = re.compile(r"^([^/?#]*//)[^/?#]*@")
_RANGE: Final = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})")
_LONGEST_PAUSE: Final = 86_400
"""Seconds of a Retry-After that are worth repeating."""
_LONGEST_DATE: Final = 64

_BROKEN: Final = (
    ("disconnected", "its server hung up without an answer"),
    ("peer closed", "its server hung up before the end of the file"),
    ("location header", "its server redirects to what is no address"),
)
_ARCHIVE: Final = "is an archive or compressed: unpack it and send the video inside"
_KINDS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the film: fetch it with `git lfs pull` and send that"),
    (b"\x1f\x8b", "is compressed with gzip: unpack it and send the video inside"),
    (b"pk\x03\x04", "is a ZIP archive: unpack it and send the video inside"),
    *(
        (mark, _ARCHIVE)
        for mark in (b"7z\xbc\xaf\x27\x1c", b"rar!\x1a\x07", b"\xfd7zxz\0", b"\x28\xb5\x2f\xfd", b"pk\x05\x06")
    ),
    (b"%pdf-", "is a PDF document: send a video file"),
    (b"#extm3u", "is a playlist, which names other addresses: give the address of one video file, such as an MP4"),
)
_BZIP2: Final = re.compile(rb"BZh[1-9]1AY&SY")
_PAGE: Final = re.compile(r"<(!--|(!doctype html|html|head|body|title|meta|script|link|style)\b)")
_TEXTS: Final = (
    (_PAGE, "a web page, perhaps a login or a player"),
    (re.compile(r"<[?!/]?\w"), "an XML document, perhaps an error message or a manifest"),
    (re.compile(r'[{\[]\s*["{\[\]}]'), "a JSON document, perhaps an error message"),
)
"""What a file of nothing but text is that is no subtitles either, by its beginning in lower case."""
_BINARY: Final = re.compile("[^\\t\\n\\f\\r\\x20-\\x7e\\x85\\xa0-\\U0010ffff]")


def shown(url: str) -> str:
    """An address as messages and logs may hold it: without a user name and password, and without the query, which often
    is a signature or a token."""
    url = _USER.sub(r"\1…@", url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return repr(url.split("?", maxsplit=1)[0][:200])
    short = parts._replace(query="…" if parts.query else "", fragment="").geturl()
    return repr(short[:200])


def what_failed(error: Exception) -> str:
    """Why a request failed, in the asker's terms: a library's own words show its inside, and what a server sent."""
    words = str(error).lower()
    match error:
        case httpx.ConnectError() if "ssl" in words or "certificate" in words:
            return "no TLS connection can be made to its server, or its certificate is not good"
        case httpx.RemoteProtocolError():
            return next((told for mark, told in _BROKEN if mark in words), "its server does not speak HTTP")
        case httpx.ConnectError():
            return "no connection can be made to its server"
        case httpx.HTTPError():
            return "the connection to its server broke"
    return "this is no address that can be asked for"


def holds_all(status: int, content_range: str) -> bool:
    """Whether an answer holds the whole file: also one that a proxy changed (203), or a part that is all of it."""
    if status == HTTPStatus.PARTIAL_CONTENT:
        said = _RANGE.fullmatch(content_range)
        return said is not None and int(said[1]) + 1 == int(said[2])
    return status in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)


def refuse_status(status: int, url: str, retry_after: str = "", date: str = "") -> None:
    """Raises what the status of a video's server means for the asker, unless it is 200.

    `date` is the server's own clock, by which a time in `retry_after` is meant.
    """
    where = shown(url)
    if status == HTTPStatus.OK:
        return
    if status in _GONE:
        raise MediaMissingError(f"{where} answered {status}: there is no such file; check the address")
    if status in _CLOSED:
        kind = MediaOriginError if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED else MediaClosedError
        raise kind(f"{where} answered {status}: it cannot be read without a login; give a public or a signed address")
    if status in _WITHHELD:
        raise MediaClosedError(f"{where} answered {status}: {_WITHHELD[status]}; give an address where it can be had")
    pause = _pause(retry_after, date)
    if status in _BUSY:
        when = f"after {pause} s" if pause else "in a minute"
        raise MediaBusyError(f"{where} answered {status}: its server is too busy; ask again {when}", pause)
    if status in _AGAIN:
        raise MediaAwayError(f"{where} answered {status}: its server did not take the request; ask again", pause)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise MediaAwayError(
            f"{where} answered {status}: its server fails; ask again later, or use another server", pause
        )
    raise MediaOriginError(f"{where} answered {status} and not with a file; give the address of the video file itself")


def _pause(retry_after: str, date: str) -> int:
    """After how many seconds to ask again; 0 for what is nonsense, in the past or further off than a day."""
    digits = retry_after.lstrip("0")
    if retry_after.isascii() and retry_after.isdecimal():
        pause = float(digits or 0) if len(digits) <= len(str(_LONGEST_PAUSE)) else math.inf
    else:
        pause = _epoch_seconds(retry_after, 0.0) - _epoch_seconds(date, time.time())
    return math.ceil(pause) if 0 < pause <= _LONGEST_PAUSE else 0


def _epoch_seconds(date: str, otherwise: float) -> float:
    """A date as HTTP writes it, in any of its three forms."""
    if len(date) > _LONGEST_DATE:
        return otherwise
    try:
        said = parsedate_to_datetime(date)
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return otherwise


def what_else(head: bytes) -> RefusedError | None:
    """The refusal of a file whose beginning shows that it is no video; None if it may be one."""
    if not head:
        return NotAVideoError("the file is empty; upload it again")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    for mark, words in _KINDS:
        if start.startswith(mark):
            return NotAVideoError(f"the file {words}")
    if _BZIP2.match(head) or head[257:262] == b"ustar":
        return NotAVideoError(f"the file {_ARCHIVE}")
    text = _uncommented(_text(head).lstrip("\ufeff").lower())
    if not text.startswith("<?xml") and not _PAGE.match(text) and _BINARY.search(text):
        return None
    words = next((words for pattern, words in _TEXTS if pattern.match(text)), "")
    return NotAVideoError(f"the file is {words}: give the address of the video file itself") if words else None


def _uncommented(text: str) -> str:
    """The text from where its first comments end; a comment, where nothing else is here."""
    text = text.lstrip()
    while text.startswith("<!--") and (end := text.find("-->", 4)) >= 0:
        text = text[end + 3 :].lstrip() or "<!--"
    return text


def _text(head: bytes) -> str:
    """A beginning as text; what is none holds characters that no text has."""
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    # The last character may have been cut.
    return codecs.getincrementaldecoder(encoding)("replace").decode(head).replace("\ufffd", "\0")
