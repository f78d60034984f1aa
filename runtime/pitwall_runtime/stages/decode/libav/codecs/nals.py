"""Tells which pictures of H.264 no other picture refers to, by the first bytes of their parts."""

from collections.abc import Iterator
from typing import Final

from av.packet import Packet
from av.video.stream import VideoStream

_LENGTH_BYTES_AT: Final = 4
"""Where a container's own header of the codec says how many bytes the length before each unit has."""
_START: Final = b"\0\0\1"
"""Before each unit in other containers."""
_SLICES: Final = range(1, 6)
"""Kinds of units that are parts of a picture."""
_KIND, _KIND_BITS = 31, 5
"""Of a unit's first byte; the others say whether it is of use to other pictures."""


class Nals:
    """Looks at the units of a film's packets."""

    def __init__(self, stream: VideoStream) -> None:
        self._applies = stream.codec_context.name == "h264"
        header = stream.codec_context.extradata or b""
        has_lengths = len(header) > _LENGTH_BYTES_AT and header[0] == 1
        self._length_bytes = (header[_LENGTH_BYTES_AT] & 3) + 1 if has_lengths else 0

    def may_be_skipped(self, packet: "Packet[VideoStream]") -> bool:
        """Whether no other picture refers to this one, as all of its parts say alike; of other codecs' packets the
        decoder judges. One without a part of a picture is none, and nothing to complain of."""
        if not self._applies or not packet.size:
            return True
        heads = self._by_lengths(memoryview(packet)) if self._length_bytes else _by_starts(bytes(packet))
        return next((head >> _KIND_BITS == 0 for head in heads if head & _KIND in _SLICES), True)

    def _by_lengths(self, content: memoryview) -> Iterator[int]:
        """The first byte of each unit."""
        at = 0
        while at + self._length_bytes < len(content):
            begin = at + self._length_bytes
            yield content[begin]
            at = begin + int.from_bytes(content[at:begin])


def _by_starts(content: bytes) -> Iterator[int]:
    at = content.find(_START)
    while 0 <= at < len(content) - len(_START):
        yield content[at + len(_START)]
        at = content.find(_START, at + len(_START))
