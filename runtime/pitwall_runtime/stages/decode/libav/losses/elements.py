"""Tells where a Matroska file is no longer made of elements: its demuxer goes on behind such a place without a word."""

import os
from typing import BinaryIO, Final

_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_BLOCKS: Final = frozenset({0xA3, 0xA1})
_ENTERED: Final = frozenset({_SEGMENT, _CLUSTER, 0xA0})
"""A segment, a cluster and a block's group: what they hold follows."""

_PASSED: Final = frozenset(
    {0xE7, 0xA7, 0xAB, 0x5854, 0xAF, 0xBF, 0xEC}  # a cluster's time and place, checksums, filling
    | {0xA2, 0xA4, 0x75A1, 0x75A2, 0x8E, 0x9B, 0xC8, 0xFA, 0xFB, 0xFD}  # beside a block
    | {0x1A45DFA3, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
)
"""All others of RFC 9559 that stand between blocks; the last line's stand beside clusters."""

_LONGEST_INSIDE: Final = 0xFFFF
"""Names of what stands inside clusters are shorter than names of clusters."""

_HEAD: Final = b"\x1aE\xdf\xa3"
_MOST_ELEMENTS: Final = 1 << 20
_HEADER_BYTES: Final = 12
"""The longest: four of a name and eight of a size."""

_SHORTEST, _LONGEST = 2, 9
"""Bytes of a block's header."""


class Elements:
    """Follows a file's elements from one block to the next."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at: int | None = 0
        """Where the latest block ends; None where nothing tells."""
        self._block: int | None = None
        self._said_end: int | None = None
        """Where the block ends to which elements have led, as its header says."""
        self._segment_end: int | None = None
        self._cluster_end: int | None = None

    def lead_to(self, block: int) -> bool:
        """Whether whole and known elements lead from the latest block to the one whose content begins at `block`.
        Pictures that are laced share one."""
        if block == self._block:
            return True
        begin, self._block, self._said_end = self._at, block, None
        leads = begin is None or self._lead(begin, block)
        self._at = self._guessed_end(block) if self._said_end is None else self._said_end
        return leads

    def lead_to_end(self) -> bool:
        """Whether they lead from the latest block to the end of the segment, behind which anything may stand, or of
        the file."""
        size = os.fstat(self._file.fileno()).st_size
        ends = (min(self._segment_end or size, size), size)
        return self._at is None or any(self._lead(self._at, end) for end in ends)

    @property
    def is_closed(self) -> bool:
        """Whether the latest segment that was met says its size, and the file holds as much: its writer came to its
        end. To be asked at the file's end."""
        size = os.fstat(self._file.fileno()).st_size
        return self._at is not None and self._segment_end is not None and self._segment_end <= size

    @property
    def goes_on(self) -> bool:
        """Whether another file follows behind the latest segment that was met: FFmpeg reads two that were joined, but
        no third one. To be asked at the file's end."""
        size = os.fstat(self._file.fileno()).st_size
        if self._segment_end is None or self._segment_end > size:  # a damaged one may be more than any file has
            return False
        self._file.seek(self._segment_end)
        return self._file.read(len(_HEAD)) == _HEAD

    def _lead(self, at: int, goal: int) -> bool:
        for _ in range(_MOST_ELEMENTS):
            if at == goal:
                return True
            element = _element(os.pread(self._file.fileno(), _HEADER_BYTES, at)) if at < goal else None
            if element is None:
                break
            name, size, header = element
            at += header
            if name in _BLOCKS and at == goal and size is not None and self._holds(at + size):
                self._said_end = at + size
                return True
            if name in _ENTERED:
                self._enter(name, None if size is None else at + size)
                continue
            if name not in _PASSED | _BLOCKS or size is None or not (name > _LONGEST_INSIDE or self._holds(at + size)):
                break
            at += size
        self._cluster_end = None
        return False

    def _enter(self, name: int, end: int | None) -> None:
        if name == _SEGMENT:
            self._segment_end, self._cluster_end = end, None
        elif name == _CLUSTER:
            self._cluster_end = end

    def _holds(self, end: int) -> bool:
        """Whether the cluster reaches so far."""
        return self._cluster_end is None or end <= self._cluster_end

    def _guessed_end(self, block: int) -> int | None:
        """Behind a tear: a size may look like a shorter header."""
        begin = max(0, block - _LONGEST)
        before = os.pread(self._file.fileno(), block - begin, begin)
        for length in range(_SHORTEST, len(before) + 1):
            element = _element(before[-length:])
            if element and element[0] in _BLOCKS and element[1] is not None and element[2] == length:
                return block + element[1]
        return None


def _element(head: bytes) -> tuple[int, int | None, int] | None:
    """An element's name, its size (None: it does not say) and the bytes that tell both; None if it is no element."""
    name_bytes = _width(head[:1])
    if name_bytes > 4 or len(head) <= name_bytes:
        return None
    size_bytes = _width(head[name_bytes : name_bytes + 1])
    header = name_bytes + size_bytes
    if size_bytes > 8 or len(head) < header:
        return None
    mask = (1 << 7 * size_bytes) - 1
    size = int.from_bytes(head[name_bytes:header]) & mask
    return int.from_bytes(head[:name_bytes]), None if size == mask else size, header


def _width(first: bytes) -> int:
    """How many bytes a number has of which this is the first; 9 if it is the first of none."""
    return 9 - first[0].bit_length() if first else 9
