"""Tells a picture that is held for long from the beginning of another recording: in a broadcast both are a leap ahead
of the clock."""

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from av.packet import Packet
from av.stream import Stream

from pitwall_runtime.media import Rgb
from pitwall_runtime.stages.decode.libav.losses.broadcasts.programs import is_left_between, program_of

_RUN_SECONDS: Final = 10
"""Sound that is silent for longer does not go on."""
_APART_SECONDS: Final = 3
"""By which sound and pictures of one time may lie apart in a file."""
_BEFORE_BYTES: Final = 1 << 18
_MOST_BYTES: Final = 64 << 20
_LENGTHS: Final = (188, 192, 204)
_SYNC, _NO_PROGRAM = 0x47, 0x1FFF


@dataclass(slots=True)
class _Run:
    """A sound's clock: since when it goes on without a leap, and how far it came. Seconds."""

    begin: Fraction
    latest: Fraction


class HeldPictures:
    """Follows the sound of one file."""

    def __init__(self, path: str, container: str) -> None:
        self._path, self._counts = path, container == "mpegts"
        self._runs: dict[int, _Run] = {}
        self._own: bytes | None = None

    def follow(self, packet: "Packet[Stream]") -> None:
        """Remember how far the sound's clock went."""
        if packet.stream.type != "audio" or packet.pts is None or not packet.time_base:
            return
        now = packet.pts * packet.time_base
        run = self._runs.get(packet.stream.index)
        if run is None or abs(now - run.latest) > _RUN_SECONDS:
            self._runs[packet.stream.index] = _Run(now, now)
        else:
            run.latest = max(run.latest, now)

    def is_held(self, seconds: tuple[Fraction, Fraction], places: tuple[int | None, int | None]) -> bool:
        """Whether a picture is held between these times of the container's clock, and not another recording begun: the
        sound went on meanwhile, or, if there is none, the packets count on. `places`: of the picture's packet in the
        file, and of the next one's."""
        begin, end = seconds
        near = [run for run in self._runs.values() if run.latest >= begin - _APART_SECONDS]
        if near:
            return any(run.begin <= begin + _APART_SECONDS and run.latest >= end - _APART_SECONDS for run in near)
        before, behind = places
        return self._counts and before is not None and behind is not None and self._count_on(before, behind)

    def is_away(self, film: int, begin: int | None, end: int | None) -> bool:
        """Whether between two pictures of the film, whose packets had this number at first, the recording is of another
        channel: the first one is not held meanwhile. `begin`, `end`: the pictures' places in the file."""
        if not self._counts or begin is None or end is None or not 0 < end - begin <= _MOST_BYTES:
            return False
        self._own = program_of(self._path, film) if self._own is None else self._own
        return bool(self._own) and is_left_between(self._path, self._own, begin, end)

    def _count_on(self, begin: int, end: int) -> bool:
        """Whether no packet is missing between these places, nor a little before, by the counters that each of a
        transport stream's parts has. Another recording has counters of its own."""
        read_from = max(0, begin - _BEFORE_BYTES)
        if end - read_from > _MOST_BYTES:
            return False
        with open(self._path, "rb") as file:
            read = os.pread(file.fileno(), end - read_from + max(_LENGTHS), read_from)
        packets = _packets(np.frombuffer(read, np.uint8), end - read_from)
        if packets is None:
            return False
        parts = (packets[:, 1].astype(int) & 0x1F) << 8 | packets[:, 2]
        counted = (packets[:, 3] & 0x10 > 0) & (parts != _NO_PROGRAM)
        steps = [np.diff(packets[counted & (parts == part), 3] & 0xF) & 0xF for part in set(parts[counted])]
        return all((one <= 1).all() for one in steps)  # a packet may be there twice


def _packets(read: Rgb, place: int) -> Rgb | None:
    """The transport stream's packets up to the one that begins at `place`, row by row; None where they are torn."""
    for length in _LENGTHS:
        rows = read[place % length :][: (place // length + 1) * length]
        packets = rows.reshape(-1, length) if len(rows) % length == 0 else rows[:0].reshape(0, length)
        for stamp in (0, length - _LENGTHS[0]):
            if len(packets) and (packets[:, stamp] == _SYNC).all():
                return packets[:, stamp:]
    return None
