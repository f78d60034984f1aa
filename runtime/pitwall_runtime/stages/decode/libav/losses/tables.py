"""Tells whether an MP4's tables of times can be right: FFmpeg leaves off where an entry cannot, and goes on without."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

Span = tuple[int, int]
"""Where a box's content begins and ends."""

_NOWHERE: Final = (0, 0)
_LEAST_BYTES, _LARGE = 8, 1
_MOST_ENTRIES: Final = 1 << 22
_FARTHEST: Final = 1 << 28
"""Ticks; FFmpeg believes no offset beyond. Of the last two entries it does."""
_LAST: Final = 2
_NO_PICTURES: Final = -1
"""Where a part of an edit list begins that shows nothing."""
_WRAP: Final = 1 << 32
_ENTRIES: Final = (b"avc1", b"avc3", b"hvc1", b"hev1")
"""How pictures of H.264 and HEVC may be described."""
_ENTRY_BYTES, _MOST_BYTES = 78, 1 << 16
_ROUNDED: Final = Fraction(1, 100)
"""Seconds by which one length differs that is said on two clocks."""
_UNLIKE: Final = 2
"""Times by which writers miss a film's length at most, when they say it a second time."""


@dataclass(frozen=True, slots=True)
class TimeTables:
    """What is wrong with the times of one film.

    `lengths_fit`: the pictures last as long together as the film. `offsets_end`: the number of the first picture, in
    decoding order, that FFmpeg has no offset for, as an entry is impossible; None if all entries are possible.
    `offsets_fit`: there are as many as pictures.
    """

    lengths_fit: bool = True
    offsets_end: int | None = None
    offsets_fit: bool = True


@dataclass(frozen=True, slots=True)
class Edits:
    """What a track's edit list says of its clock, in seconds: what is `cut_away` at the beginning, less what comes
    before it without pictures, and how long all that is left lasts, both included. `late_end`: when a film ends that
    begins late, which FFmpeg does not say; None where its list says nothing of that. `is_left_open`: its pictures are
    shown for no time, as some writers leave a list open. `parts`: how many it has that show pictures."""

    cut_away: Fraction = Fraction(0)
    lasting: Fraction = Fraction(0)
    late_end: Fraction | None = None
    is_left_open: bool = False
    parts: int = 0


def tables_of(path: str, track: int) -> TimeTables:
    """The tables of a track, by its number in the file; what cannot be found there is not judged."""
    with open(path, "rb") as file:
        movie = _movie(file)
        if _inner(file, movie, b"mvex") == _NOWHERE:  # else fragments follow, of which these tables say nothing
            return next((_judged(file, span) for span in _tracks(file, movie, track)), TimeTables())
    return TimeTables()


def edits_of(path: str, track: int) -> Edits:
    """The edit list of a track, by its number in the file; empty where there is none."""
    with open(path, "rb") as file:
        movie = _movie(file)
        scale = _scale(file, _inner(file, movie, b"mvhd"))
        for span in _tracks(file, movie, track):
            own = _scale(file, _inner(file, span, b"mdia", b"mdhd"))
            if scale and own:
                return _edits(_entries(file, _inner(file, span, b"edts", b"elst")), scale, own)
    return Edits()


def declared_end(stream: VideoStream) -> int | None:
    """When, on the container's clock, an MP4 says that a stream ends. Fragments have times of their own, from which an
    edit list takes what it cuts away; a whole list lasts from the clock's zero on."""
    assert stream.time_base is not None
    edits = edits_of(stream.container.name, stream.id)
    if not stream.duration:
        return stream.duration
    if not stream.frames:
        return stream.duration - round(edits.cut_away / stream.time_base)
    in_list, begin = abs(edits.lasting / stream.time_base - stream.duration) <= 1, stream.start_time or 0
    end = stream.duration + (0 if in_list else begin)
    return min(end, round(edits.late_end / stream.time_base)) if edits.late_end and begin > 0 else end


def last_held_until(stream: VideoStream) -> int | None:
    """When, on the container's clock, the last picture of an MP4 stops being shown whose pictures are not in order, so
    that each says the length of another one. Writers sum up the lengths in decoding order; where they say twice how
    long the film is shown, that holds. An edit list that is longer than its pictures shows nothing more."""
    assert stream.time_base is not None
    path, edits = stream.container.name, edits_of(stream.container.name, stream.id)
    if edits.parts > 1:
        return declared_end(stream)
    with open(path, "rb") as file:
        for span in _tracks(file, _movie(file), stream.id):
            media = _inner(file, span, b"mdia")
            inside, header = _inner(file, media, b"minf", b"stbl"), _inner(file, media, b"mdhd")
            lengths, offsets = (_table(file, _inner(file, inside, name)) for name in (b"stts", b"ctts"))
            if not (own := _scale(file, header)):
                break
            first = Fraction(int(offsets[0, 1]) if offsets.size else 0, own) - edits.cut_away
            summed = Fraction(int((lengths[:, 0] * lengths[:, 1]).sum()), own) + first
            said = Fraction(_duration(file, header), own) + first
            end = edits.lasting if abs(said - edits.lasting) < _ROUNDED else min(summed, edits.lasting or summed)
            return round(end / stream.time_base)
    return None


def _edits(entries: list[tuple[int, int]], scale: int, own: int) -> Edits:
    """Of lengths in ticks of the film's clock, and where each begins in those of the track's own."""
    leading = entries[0][0] if entries and entries[0][1] == _NO_PICTURES else 0
    begin = next((at for _, at in entries[: 1 + bool(leading)] if at >= 0), 0)
    lasting = Fraction(sum(length for length, _ in entries), scale)
    is_late = leading > 0 and len(entries) > 1 and entries[-1][0] > 0
    shown = [length for length, at in entries if at != _NO_PICTURES]
    return Edits(
        cut_away=Fraction(begin, own) - Fraction(leading, scale),
        lasting=lasting,
        late_end=lasting if is_late else None,
        is_left_open=bool(shown) and not any(shown),
        parts=len(shown),
    )


def tells_order(path: str, track: int, pictures: int) -> bool:
    """Whether a track, by its number in the file, has a table of how much later than decoded its pictures are shown,
    and not all of the first so many `pictures` equally later."""
    with open(path, "rb") as file:
        found = [_inner(file, span, b"mdia", b"minf", b"stbl", b"ctts") for span in _tracks(file, _movie(file), track)]
        return any(table != _NOWHERE and _first_run(file, table) < pictures for table in found)


def _first_run(file: BinaryIO, table: Span) -> int:
    """How many pictures the first entry is of, in a table of runs."""
    return int.from_bytes(_bytes(file, (table[0] + 8, table[1]), 4))


def clean_aperture(path: str, track: int) -> bytes:
    """What a track, by its number in the file, says of the part of its pictures that is seen; empty if nothing."""
    with open(path, "rb") as file:
        for span in _tracks(file, _movie(file), track):
            begin, end = _inner(file, span, b"mdia", b"minf", b"stbl", b"stsd")
            size = int.from_bytes(_bytes(file, (begin + 8, end), 4))
            entry = (begin + 16 + _ENTRY_BYTES, min(begin + 8 + size, end))
            return _bytes(file, _inner(file, entry, b"clap"), 32)
    return b""


@dataclass(frozen=True, slots=True)
class Description:
    """How pictures are written that lie behind a `place` of the file: what their decoder must know, empty where it is
    not said, and ticks of a second."""

    place: int
    content: bytes
    scale: int


def descriptions_of(path: str, track: int, box: bytes) -> list[Description]:
    """What each index of an MP4 says, in boxes of this name, of a track, by its number in the file, or of the first one
    of such pictures where none has that."""
    with open(path, "rb") as file:
        movies = list(_boxes(file, (0, file.seek(0, os.SEEK_END)), b"moov"))
        return [_described(file, movie, track, box) for movie in movies]


def _described(file: BinaryIO, movie: Span, track: int, box: bytes) -> Description:
    for span in [*_tracks(file, movie, track), *_boxes(file, movie, b"trak")]:
        media = _inner(file, span, b"mdia")
        table = _inner(file, media, b"minf", b"stbl", b"stsd")
        for entry in (one for name in _ENTRIES for one in _boxes(file, (table[0] + 8, table[1]), name)):
            content = _bytes(file, _inner(file, (entry[0] + _ENTRY_BYTES, entry[1]), box), _MOST_BYTES)
            return Description(movie[0], content, _scale(file, _inner(file, media, b"mdhd")))
    return Description(movie[0], b"", 0)


def has_fragments(path: str) -> bool:
    """Whether an MP4's pictures may lie in fragments, each with a time of its own."""
    with open(path, "rb") as file:
        return _inner(file, (0, Path(path).stat().st_size), b"moov", b"mvex") != _NOWHERE


def _movie(file: BinaryIO) -> Span:
    return _inner(file, (0, file.seek(0, os.SEEK_END)), b"moov")


def _tracks(file: BinaryIO, movie: Span, number: int) -> Iterator[Span]:
    """The one of this number."""
    return (span for span in _boxes(file, movie, b"trak") if _number(file, _inner(file, span, b"tkhd")) == number)


def _entries(file: BinaryIO, span: Span) -> list[tuple[int, int]]:
    """Of an edit list: how long each part lasts, and where it begins; -1 for a part without pictures."""
    head = _bytes(file, span, 8)
    form = struct.Struct(">qqi" if head[:1] == b"\1" else ">iii")
    content = _bytes(file, (span[0] + len(head), span[1]), form.size * min(int.from_bytes(head[4:8]), _MOST_ENTRIES))
    return [(length, at) for length, at, _ in form.iter_unpack(content[: len(content) // form.size * form.size])]


def _judged(file: BinaryIO, track: Span) -> TimeTables:
    media = _inner(file, track, b"mdia")
    inside = _inner(file, media, b"minf", b"stbl")
    lengths, offsets = _table(file, _inner(file, inside, b"stts")), _table(file, _inner(file, inside, b"ctts"))
    sizes = _bytes(file, _inner(file, inside, b"stsz"), 12)
    pictures = int.from_bytes(sizes[8:12])
    impossible = (offsets[:, 0] < 0) | (abs(offsets[:, 1]) > _FARTHEST)
    impossible[-_LAST:] &= offsets[-_LAST:, 0] < 0
    first = int(np.argmax(impossible)) if impossible.any() else None
    # Of pictures that are not in order the last ones may be held behind all that the lengths sum up to.
    later = 0 if impossible.all() else int(np.ptp(offsets[~impossible, 1]))
    summed = int((lengths[:, 0] * lengths[:, 1]).sum())
    return TimeTables(
        _are_like(summed, later, _duration(file, _inner(file, media, b"mdhd"))),
        None if first is None else int(offsets[:first, 0].sum()),
        not offsets.size or int(offsets[:, 0].sum()) == pictures,
    )


def _are_like(summed: int, later: int, said: int) -> bool:
    """Whether a film of so many ticks, and up to so many `later`, may be as long as it says; 0 and all ones say
    nothing, and long films do not fit into 32 bits."""
    if not summed or said in (0, _WRAP - 1, (1 << 64) - 1) or summed % _WRAP == said:
        return True
    return said <= _UNLIKE * (summed + later) and summed <= _UNLIKE * said


def _boxes(file: BinaryIO, span: Span, name: bytes) -> Iterator[Span]:
    """The boxes of this name that a span holds."""
    at, end = span
    while at + _LEAST_BYTES <= end:
        head = _bytes(file, (at, end), 16)
        size, begin = int.from_bytes(head[:4]), at + 8
        if size == _LARGE:
            size, begin = int.from_bytes(head[8:16]), at + 16
        size = size or end - at
        if size < begin - at:
            return
        if head[4:8] == name:
            yield begin, min(at + size, end)
        at += size


def _inner(file: BinaryIO, span: Span, *names: bytes) -> Span:
    """The first box of a name in a span, in that the first of the next name; an empty span where one is missing."""
    for name in names:
        span = next(_boxes(file, span, name), _NOWHERE)
    return span


def _bytes(file: BinaryIO, span: Span, most: int) -> bytes:
    file.seek(span[0])
    return file.read(min(most, span[1] - span[0]))


def _number(file: BinaryIO, header: Span) -> int:
    """A track's, by its header, whose times have four bytes or eight."""
    head = _bytes(file, header, 24)
    return int.from_bytes(head[20:24] if head[:1] == b"\1" else head[12:16])


def _duration(file: BinaryIO, header: Span) -> int:
    head = _bytes(file, header, 32)
    return int.from_bytes(head[24:32] if head[:1] == b"\1" else head[16:20])


def _scale(file: BinaryIO, header: Span) -> int:
    """Ticks of a second."""
    head = _bytes(file, header, 24)
    return int.from_bytes(head[20:24] if head[:1] == b"\1" else head[12:16])


def _table(file: BinaryIO, span: Span) -> npt.NDArray[np.int64]:
    """Rows of a number of pictures, and what each of them has."""
    head = _bytes(file, span, 8)
    entries = min(int.from_bytes(head[4:8]), _MOST_ENTRIES)
    content = _bytes(file, (span[0] + len(head), span[1]), 8 * entries)
    rows = np.frombuffer(content[: len(content) // 8 * 8], ">i4").reshape(-1, 2)
    return rows.astype(np.int64)
