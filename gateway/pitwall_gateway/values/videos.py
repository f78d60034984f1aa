"""Reads what a caller sends about videos to prepare ahead, as far as the gateway must know it."""

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from pitwall_crds.reading.sent import BodyFaultError, read_json
from pitwall_gateway.values.errors import RequestRefusedError

MAX_BATCH: Final = 1000
"""Addresses of one batch; the runtimes' limit, too."""

_ID: Final = re.compile(r"vid_[0-9a-f]{32,64}")


@dataclass(frozen=True, slots=True)
class VideosSent:
    """Videos on their way to the queue: how many, and the body that names them."""

    body: bytes
    count: int


def read_video(body: bytes) -> VideosSent:
    """One video; raises RequestRefusedError (400). Whether its address can be used is the runtime's to judge."""
    document, written = _parse(body)
    if not isinstance(document.get("url"), str):
        raise _invalid('url: it must be the address of a video; send {"url": "https://…"}')
    return VideosSent(written, 1)


def read_batch(body: bytes) -> VideosSent:
    """Several; raises RequestRefusedError (400)."""
    document, written = _parse(body)
    urls = document.get("urls")
    if not isinstance(urls, list) or not 1 <= len(urls) <= MAX_BATCH:
        raise _invalid(f'urls: it must be a list of 1 to {MAX_BATCH} addresses; send {{"urls": ["https://…"]}}')
    return VideosSent(written, len(urls))


def check_id(video_id: str) -> None:
    """Raises RequestRefusedError (404) for what no video is called."""
    if not _ID.fullmatch(video_id):
        message = "there is no video of this id; send its url with POST /v1/videos first"
        raise RequestRefusedError(404, message, code="media_missing")


def _parse(body: bytes) -> tuple[dict[str, Any], bytes]:
    """The document, and the same written anew: what was counted is what the runtime reads."""
    try:
        document = read_json(body)
    except BodyFaultError as fault:
        raise _invalid(f'{fault}; send {{"url": "https://…"}}') from None
    if not isinstance(document, dict):
        raise _invalid('the body must be a JSON object; send {"url": "https://…"}')
    return document, to_json(document, inf_nan_mode="null")


def _invalid(message: str) -> RequestRefusedError:
    return RequestRefusedError(400, message, code="invalid_body")
