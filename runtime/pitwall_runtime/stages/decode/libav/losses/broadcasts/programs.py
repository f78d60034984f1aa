"""Tells where a transport stream's pictures go on in another codec, or in other packets of another program, as a
recording does over a channel's change: FFmpeg follows the first one alone."""

import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.integer[Any]]

_LENGTHS: Final = (188, 192, 204)
_LOOKED_AT: Final = 204 * 5
_PACKET, _AT_ONCE = 188, 1 << 16
_SYNC, _TABLE_OF_TABLES, _PROGRAM_TABLE, _ENTRIES_AT = 0x47, 0, b"\x02", 12
_CODECS: Final = {
    0x01: "MPEG-1", 0x02: "MPEG-2", 0x10: "MPEG-4", 0x1B: "H.264", 0x24: "HEVC", 0x33: "VVC", 0xEA: "VC-1",
}  # fmt: skip
"""By the types of streams in ISO/IEC 13818-1, table 2-34."""
_REPEATED: Final = 3
"""Tables of another kind, one after the other: where several programs are sent at once their tables take turns."""
_TAIL_BYTES: Final = 4 << 20
_BLOCKS_ASKED: Final = 8
_WRAP: Final = 1 << 33
_LONGEST: Final = _WRAP // 2


@dataclass(frozen=True, slots=True)
class CodecChange:
    """From which codec to which, the same one if it is another program's, and for how many ticks of the stream's clock
    the latter lasts: it may have a clock of its own. None if nothing tells."""

    before: str
    after: str
    lasting: int | None

    @property
    def words(self) -> str:
        """For whoever sent the film, if too little of it is of the first codec."""
        is_codec = self.after != self.before
        other = f"another codec ({self.after} behind {self.before})" if is_codec else "another channel's program"
        return (
            f"the video goes on in {other}, and what lies behind the change cannot be decoded; send its parts one by "
            "one, or re-encode it as MP4 with H.264"
        )


def codec_change(path: str, film: int, film_ends: int) -> CodecChange | None:
    """How the film, whose packets have this number at first and end about this place, goes on in another codec or
    program; None if it does not."""
    kind: int | None = None
    own = b""
    others: list[tuple[int, int]] = []
    beside: set[bytes] = set()
    waiting: set[bytes] = set()
    with open(path, "rb") as file:
        for program, videos in _tables(file):
            if kind is None and film in videos:
                kind, own = videos[film], program
            if kind is None or not videos or videos.get(film) == kind:
                # Programs whose tables come between those of the film are sent beside it, and do not follow it.
                beside, waiting, others = (beside | waiting) - {program}, set(), []
            elif (program != own or kind not in videos.values()) and program not in beside:
                waiting.add(program)
                others.append(videos.popitem() if film not in videos else (film, videos[film]))
        if kind is None or len(others) < _REPEATED:
            return None
        number, after = others[-1]
        return CodecChange(_CODECS[kind], _CODECS[after], _lasting(file, number, film_ends))


def program_of(path: str, film: int) -> bytes:
    """Which program a film is of, whose packets have this number; empty if no table says it."""
    with open(path, "rb") as file:
        return next((program for program, videos in _tables(file) if film in videos), b"")


def is_left_between(path: str, own: bytes, begin: int, end: int) -> bool:
    """Whether another channel is recorded between two places of the file: its program's table comes again and again,
    and no table of the film's own between. Where several programs are sent at once their tables take turns."""
    times: Counter[bytes] = Counter()
    with open(path, "rb") as file:
        for program, videos in _tables(file, begin, end):
            if program == own:
                times.clear()
            times[program] += bool(videos) and program != own
            if times[program] >= _REPEATED:
                return True
    return False


def _tables(file: BinaryIO, begin: int = 0, end: int | None = None) -> Iterator[tuple[bytes, dict[int, int]]]:
    """Of each program's table, in order: the program, the numbers of its pictures' packets, and their codecs' types."""
    numbers: set[int] = set()
    for packets in _packets(file, begin, end):
        for section in _sections(packets, [_TABLE_OF_TABLES]):
            numbers |= {_number(section[at + 1 :]) for at in range(8, len(section) - 3, 4)}
        for section in _sections(packets, list(numbers)):
            if section[:1] == _PROGRAM_TABLE:
                yield section[3:5], _videos(section)


def _sections(packets: Bytes, numbers: list[int]) -> Iterator[bytes]:
    """The first table that begins in each packet of these numbers, as much of it as is there, without its checksum."""
    begins = packets[:, 1] & 0x40 > 0
    for row in packets[begins & np.isin(_numbers(packets), numbers)]:
        payload = _payload(row.tobytes())
        section = payload[1 + payload[0] :] if payload else b""
        yield section[: max(0, 3 + _length(section[1:]) - 4)]


def _videos(section: bytes) -> dict[int, int]:
    at, found = _ENTRIES_AT + _length(section[10:]), {}
    while at + 5 <= len(section):
        if section[at] in _CODECS:
            found[_number(section[at:])] = section[at]
        at += 5 + _length(section[at + 3 :])
    return found


def is_scrambled(path: str, number: int, place: int) -> bool:
    """Whether most packets of this number say that they are scrambled, a while from a place on."""
    scrambled = clear = 0
    with open(path, "rb") as file:
        for packets in islice(_packets(file, place), _BLOCKS_ASKED):
            flags = packets[_numbers(packets) == number, 3]
            with_payload = flags & 0x10 > 0
            hidden = int((with_payload & (flags & 0xC0 > 0)).sum())
            scrambled, clear = scrambled + hidden, clear + int(with_payload.sum()) - hidden
    return scrambled > clear


def _lasting(file: BinaryIO, number: int, begin: int) -> int | None:
    """From the first picture in packets of this number behind a place to the last one, as far as the file's end tells;
    None where their clock begins anew between."""
    first = next(_times(file, number, begin), None)
    tail = deque(_times(file, number, max(begin, file.seek(0, os.SEEK_END) - _TAIL_BYTES)), maxlen=1)
    if first is None or not tail:
        return None
    lasting = (tail[0] - first) % _WRAP
    return lasting if lasting < _LONGEST else None


def _times(file: BinaryIO, number: int, start: int) -> Iterator[int]:
    """When the pictures are shown that begin in packets of this number, from a place on."""
    for packets in _packets(file, start):
        for row in packets[(packets[:, 1] & 0x40 > 0) & (_numbers(packets) == number)]:
            head = _payload(row.tobytes())[7:14]
            if len(head) == 7 and head[0] & 0x80:
                told = int.from_bytes(head[2:])
                yield (told >> 33 & 7) << 30 | (told >> 17 & 0x7FFF) << 15 | told >> 1 & 0x7FFF


def _packets(file: BinaryIO, start: int, end: int | None = None) -> Iterator[Bytes]:
    """From this place on, up to another, many at once, row by row; none where bytes are torn."""
    file.seek(start)
    head = file.read(_LOOKED_AT)
    shape = next(((at, one) for one in _LENGTHS for at in range(one) if _fits(head, at, one)), None)
    if shape is None:
        return
    at, length = shape
    most = file.seek(0, os.SEEK_END) if end is None else end
    file.seek(start + at)
    while len(read := file.read(min(length * _AT_ONCE, max(0, most - file.tell())))) >= length:
        rows = np.frombuffer(read, np.uint8, len(read) // length * length).reshape(-1, length)
        yield rows[rows[:, 0] == _SYNC]


def _fits(head: bytes, at: int, length: int) -> bool:
    signs = head[at::length]
    return len(signs) > 1 and signs == bytes((_SYNC,)) * len(signs)


def _numbers(packets: Bytes) -> Bytes:
    return (packets[:, 1].astype(np.uint16) & 0x1F) << 8 | packets[:, 2]


def _number(two: bytes) -> int:
    """Of the packets of a part: the 13 bits behind a byte."""
    return int.from_bytes(two[1:3]) & 0x1FFF


def _length(two: bytes) -> int:
    return int.from_bytes(two[:2]) & 0xFFF


def _payload(packet: bytes) -> bytes:
    return packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) : _PACKET]
