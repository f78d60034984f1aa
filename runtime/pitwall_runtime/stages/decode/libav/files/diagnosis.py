"""Says in a person's terms why a file is no video: what it is instead, and what to do."""

import re
from collections.abc import Callable
from pathlib import Path

_HEAD_BYTES = 4096
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MXF = bytes.fromhex("060e2b34020501010d010201")
_SEND = "send an MP4, WebM, MKV or MOV file"
STILL = f"this is a still picture, no video can be read from it; {_SEND}"
ENCRYPTED = "the film is encrypted (DRM): its pictures cannot be seen without a key; send a copy without protection"
ONLY_SOUND = "the file holds only sound, perhaps with a cover picture, no moving pictures; send the video itself"


def why_unreadable(path: Path) -> str:
    """One sentence about the file at `path`, which FFmpeg refused.

    FFmpeg's own reason is an errno, whose words are about something else: a raw video without a size is "busy".
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return "the video cannot be read; check that it is still there, and that it may be read"
    for fits, sentence in _KINDS:
        if fits(head):
            return sentence
    return (
        f"no video can be read from this file: it is of no kind that is known here, or its beginning is broken; {_SEND}"
    )


def begins_with(path: str, mark: bytes) -> bool:
    """Whether the file at `path`, if it is one, begins with these bytes."""
    if not Path(path).is_file():  # a pipe gives its bytes once
        return False
    with Path(path).open("rb") as file:
        return file.read(len(mark)) == mark


def _begins_as_mp4(head: bytes) -> bool:
    return head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov")


def _begins_as_sound(head: bytes) -> bool:
    """MP3 with tags, as it has them with a cover, FLAC and WAV."""
    return head.startswith((b"ID3", b"fLaC")) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE")


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head):  # else it was cut in the middle of a character
            return False
    return not _CONTROL.search(head)


_KINDS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (
        lambda head: head[:6] == b"7z\xbc\xaf\x27\x1c" or head[:4] == b"Rar!",
        f"this is an archive: unpack it first, then {_SEND}",
    ),
    (
        lambda head: head.startswith((b"ffconcat", b"[playlist]")),
        "this is a playlist, which names other addresses: give the address of the video file itself",
    ),
    (
        lambda head: head[:3] == b"\xff\xd8\xff" or head[:8] == b"\x89PNG\r\n\x1a\n",
        STILL,
    ),
    (
        lambda head: head.startswith(b"YUV4MPEG"),
        f"this is raw video (YUV4MPEG2, .y4m) whose first line tells no size or kind of picture that is known; {_SEND}",
    ),
    (
        _begins_as_mp4,
        "the file begins as an MP4, but its index (moov) is missing or broken: the upload or recording did not finish; "
        "send it again, or repair it with the device that recorded it",
    ),
    (
        lambda head: head[4:8] in (b"styp", b"moof", b"sidx"),
        "this is one segment of a film that is sent in pieces: join the first one (init) and the others to one file",
    ),
    (
        lambda head: head.startswith(_MXF),
        "the file begins as an MXF, but its parts lie elsewhere than it says: it is damaged, or several were joined "
        "byte by byte; send it again, or each by itself",
    ),
    (_begins_as_sound, ONLY_SOUND),
    (_is_text, f"this is text, perhaps an error message; {_SEND}"),
    (lambda head: not head.strip(b"\0"), "the file holds only zeros: the download was never filled in; send it again"),
)
"""What begins as a video might. What does not is refused before it comes here, see `ingest/fetch/origin.py`."""
