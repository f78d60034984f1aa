"""Reads subtitles that are text: of a stream beside the film, as its packets pass by, or of a file of their own."""

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from pitwall_runtime.media import Caption

FILES: Final = "srt,webvtt,ass"
"""Demuxers of files that hold nothing but subtitles."""

MOST_CAPTIONS: Final = 20_000
"""One every two seconds of the longest film."""
MOST_CHARACTERS: Final = 1 << 20
"""Of all captions: thirty hours of talk."""
_LONGEST_CAPTION: Final = 1000
_LONGEST_PACKET: Final = 16 << 10
"""Bytes of a caption with all its styling; what has more says nothing to be read."""
_TEXT: Final = frozenset({"ass", "mov_text", "ssa", "subrip", "srt", "text", "webvtt"})
"""Codecs of words; the others are pictures, which nobody here can read."""

_LAST_WORDS_SECONDS: Final = 5.0
"""How long words show of which the file does not say it."""


class CaptionTrack:
    """Collects the captions of one stream. What of it is damaged is left out."""

    def __init__(self, stream: SubtitleStream) -> None:
        self.stream = stream
        self._found: list[Caption] = []
        self._characters = 0

    @classmethod
    def of(cls, container: InputContainer) -> "CaptionTrack | None":
        """The container's text track: the default one first, forced ones (which translate signs only) last."""
        streams = [one for one in container.streams.subtitles if one.codec_context and one.codec_context.name in _TEXT]
        return cls(min(streams, key=_rank)) if streams else None

    def take(self, packet: "Packet[Stream]") -> None:
        """Look at a packet of any stream."""
        is_full = len(self._found) >= MOST_CAPTIONS or self._characters >= MOST_CHARACTERS
        is_ours = packet.stream.index == self.stream.index
        if is_ours and not is_full and 0 < packet.size <= _LONGEST_PACKET and packet.pts is not None:
            for caption in self._captions(packet):
                self._found.append(caption)
                self._characters += len(caption.text)

    def captions(self, origin_seconds: Fraction = Fraction(0)) -> tuple[Caption, ...]:
        """What was found, in time order, counted from `origin_seconds` of the file's clock; nothing before it."""
        origin = float(origin_seconds)
        shifted = (
            Caption(round(max(0.0, one.start_seconds - origin), 3), round(one.end_seconds - origin, 3), one.text)
            for one in self._found
        )
        return tuple(sorted((one for one in shifted if one.end_seconds > 0), key=lambda one: one.start_seconds))

    def _captions(self, packet: "Packet[Stream]") -> Iterator[Caption]:
        try:
            rectangles = self.stream.decode(packet)
        except FFmpegError:
            return
        assert packet.pts is not None
        assert packet.time_base is not None
        start = float(packet.pts * packet.time_base)
        seconds = float((packet.duration or 0) * packet.time_base) or _LAST_WORDS_SECONDS
        words = (_plain(one) for one in rectangles if isinstance(one, AssSubtitle))
        text = " ".join(filter(None, words))
        if text:
            yield Caption(start, start + seconds, text[:_LONGEST_CAPTION])


def read_captions(data: bytes) -> tuple[Caption, ...]:
    """The captions of a SubRip, WebVTT or ASS file in any usual encoding. Raises ValueError if it is none of these."""
    options = {"format_whitelist": FILES, "protocol_whitelist": ""}
    try:
        with av.open(io.BytesIO(_decoded(data).encode()), "r", options=options, metadata_errors="replace") as container:
            track = CaptionTrack.of(container)
            if track is None:
                return ()
            for packet in container.demux():
                track.take(packet)
            return track.captions()
    except FFmpegError:
        raise ValueError("no SubRip, WebVTT or ASS file") from None


def _decoded(data: bytes) -> str:
    """As UTF-8 or, with its mark, UTF-16; whatever else old players wrote is Western European more often than not."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _plain(words: AssSubtitle) -> str:
    """Without styling and line breaks."""
    return " ".join(_unstyled(words.dialogue.decode(errors="replace")).split())


def _unstyled(text: str) -> str:
    r"""Without what stands between `{\` and the next `}`. A pattern would look for that end anew at every beginning."""
    kept, at = [], 0
    while (opened := text.find("{\\", at)) >= 0 and (closed := text.find("}", opened)) >= 0:
        kept.append(text[at:opened])
        at = closed + 1
    return "".join((*kept, text[at:]))


def _rank(stream: SubtitleStream) -> tuple[bool, bool, int]:
    disposition = stream.disposition
    return bool(disposition & disposition.forced), not disposition & disposition.default, stream.index
