"""Tells whether bytes between two pictures are lost, or are units of the file's container: packets, pages or tags.

Demuxers pass over damaged bytes without a word, but also over whole ones: filling, tables, programs that nobody wants.
"""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO, Final

_JUNK_BYTES: Final = 1500
"""That may stand between two units: sectors' frames, filling, a few bytes where recordings were joined."""

_WITHOUT_JUNK: Final = ("ogg", "asf", "flv", "live_flv")
"""Containers whose units always follow each other."""

_HEAD_BYTES: Final = 282
"""The longest head of a unit, an Ogg page's: 27 bytes, and one for each of at most 255 segments."""

Unit = Callable[[BinaryIO, int], int]
"""The length of the unit at a place, or of several that follow each other; 0 where none begins."""


class Units:
    """The units of one file."""

    def __init__(self, path: str, container: str) -> None:
        self._path, self._unit = path, UNITS.get(container)
        self._junk_bytes = 0 if container in _WITHOUT_JUNK else _JUNK_BYTES

    @property
    def known(self) -> bool:
        """Whether this container's units are known here."""
        return self._unit is not None

    def lost_between(self, begin: int, end: int) -> int:
        """How many bytes are lost between these places: 0 if there is nothing but units up to the one that begins at
        `end`, else all from the first that is none. Nothing is said where none begins at `begin`."""
        with open(self._path, "rb") as file:
            at = begin
            while length := self._length(file, at) or (at > begin and self._junk(file, at)):
                at += length
                if at > end:
                    return 0
        return 0 if at == begin else max(1, end - at)

    def lead(self, begin: int, end: int) -> bool:
        """Whether units alone lead from the one that begins at `begin` to the one at `end`."""
        at = begin
        with open(self._path, "rb") as file:
            while at < end and (length := self._length(file, at)):
                at += length
        return at == end

    def _length(self, file: BinaryIO, at: int) -> int:
        return self._unit(file, at) if self._unit else 0

    def _junk(self, file: BinaryIO, at: int) -> int:
        """How far it is to the next two units; 0 if that is too far."""
        for place in range(at + 1, at + self._junk_bytes):
            length = self._length(file, place)
            if length and (self._length(file, place + length) or not _read(file, place + length, 1)):
                return place - at
        return 0


def _read(file: BinaryIO, at: int, count: int = _HEAD_BYTES) -> bytes:
    file.seek(at)
    return file.read(count)


_SYNC: Final = b"\x47"
_TRANSPORT: Final = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet, and of the time before it."""
_AT_ONCE: Final = 204 << 8


def _transport(file: BinaryIO, at: int) -> int:
    """Packets of an MPEG transport stream have no length: it takes a second one behind it to know one."""
    read = _read(file, at, _AT_ONCE)
    for length, stamp in _TRANSPORT:
        signs = read[stamp::length]
        whole = len(signs) - len(signs.lstrip(_SYNC))
        if whole > 1 or whole == len(signs) > 0:
            return whole * length
    return 0


_PACK, _LEAST_WITH_LENGTH = 0xBA, 0xBB


def _program(file: BinaryIO, at: int) -> int:
    """A pack's header, or a packet of an MPEG program stream."""
    head = _read(file, at, 14)
    if len(head) < 12 or head[:3] != b"\0\0\1" or head[3] < _PACK:
        return 0
    if head[3] >= _LEAST_WITH_LENGTH:
        return 6 + int.from_bytes(head[4:6])
    return 14 + (head[-1] & 7) if head[4] >> 6 == 1 else 12


_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ONES: Final = 0xFFFF_FFFF


def _page(file: BinaryIO, at: int) -> int:
    """An Ogg page whose checksum is right: the demuxer passes over others."""
    head = _read(file, at)
    if head[:4] != b"OggS" or len(head) < 27:
        return 0
    length = 27 + head[26] + sum(head[27 : 27 + head[26]])
    page = _read(file, at, length)
    summed = page[:22] + bytes(4) + page[26:]
    return length if _checksum(summed) == int.from_bytes(page[22:26], "little") else 0


def _checksum(data: bytes) -> int:
    """Ogg's CRC-32 is zlib's with all bits in the other order, and neither begins nor ends inverted."""
    mirrored = zlib.crc32(data.translate(_MIRRORED), _ALL_ONES) ^ _ALL_ONES
    return int(f"{mirrored:032b}"[::-1], 2)


_ASF_PROPERTIES: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEADER_BYTES: Final = 64 << 10


def _asf_packet(file: BinaryIO, at: int) -> int:
    return _asf_packet_bytes(file.name) if _read(file, at, 3) == b"\x82\0\0" else 0


@lru_cache(maxsize=1)
def _asf_packet_bytes(path: str) -> int:
    """All packets of an ASF file have the length that its header says."""
    with open(path, "rb") as file:
        header = file.read(_ASF_HEADER_BYTES)
    place = header.find(_ASF_PROPERTIES)
    return int.from_bytes(header[place + 96 : place + 100], "little") if place >= 0 else 0


_FLV_KINDS: Final = (8, 9, 18)


def _flv_tag(file: BinaryIO, at: int) -> int:
    head = _read(file, at, 11)
    is_tag = len(head) == 11 and head[0] & 31 in _FLV_KINDS and head[8:] == bytes(3)
    return 11 + int.from_bytes(head[1:4]) + 4 if is_tag else 0


_LISTS: Final = (b"LIST", b"RIFF")
_CHUNK_HEAD_BYTES: Final = 8


def _avi_chunk(file: BinaryIO, at: int) -> int:
    """The chunk whose content begins at a place; of a list the head alone, since chunks follow in it."""
    head = _read(file, at - _CHUNK_HEAD_BYTES, _CHUNK_HEAD_BYTES)
    name, size = head[:4], int.from_bytes(head[4:], "little")
    if len(head) < _CHUNK_HEAD_BYTES or not (name.isascii() and name.decode().isprintable()):
        return 0
    return 12 if name in _LISTS else _CHUNK_HEAD_BYTES + size + size % 2


UNITS: Final[dict[str, Unit]] = {
    "mpegts": _transport,
    "mpeg": _program,
    "ogg": _page,
    "asf": _asf_packet,
    "flv": _flv_tag,
    "live_flv": _flv_tag,
    "avi": _avi_chunk,
}
"""By FFmpeg's name of the container. A packet's place is where its unit begins, but in an AVI behind its head."""
