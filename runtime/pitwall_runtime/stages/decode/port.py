"""The contract of every decoder: a video becomes the stream of pool frames that a viewer would see."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.media import Caption, Damage, Frame, PoolSpec

MAX_PIXELS: Final = 8192 * 4320
MAX_POOL_FRAMES: Final = 50_000
MAX_SECONDS: Final = 12 * 3600
THREADS: Final = min(8, os.cpu_count() or 1)
"""Of one decoding; more of them help little and need memory for pictures."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Where the last picture stops showing, in the pool's ticks; damaged stretches, and the file's own subtitles."""

    end_pts: int
    damage: tuple[Damage, ...] = ()
    subtitles: tuple[Caption, ...] = ()


class Decoder(Protocol):
    """One way to decode. All pass the same tests (tests/runtime/stages/decode), or refuse what they cannot do."""

    def read(self, path: str, spec: PoolSpec, threads: int = THREADS) -> Iterator[Frame | Ended]:
        """The frame of each instant 0, 1/rate, …, in order, then one Ended.

        An instant's frame is the picture that a player shows then, counted from the first picture: upright, in the
        aspect that people see, standard dynamic range, no comb of interlaced fields. A picture that is held is there
        as often as it is seen, as the same array. An instant at which nothing that was decoded is seen has no frame.
        Where a key picture begins, the next frame is marked as such, unless something was lost between them.
        With `spec.first_seconds` this holds for the video's beginning alone, and what lies behind it is not read.

        Raises NotAVideoError, MediaBrokenError, MediaTooLargeError, or UnsupportedVideoError before the first frame.
        """
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one decoding may use: wall-clock seconds, and bytes of memory for the decoding process.

    The `deadline` also holds for the time that it waits for its share of the memory.
    """

    wall_seconds: float = 600.0
    memory_bytes: int = 3 << 30
    deadline: Deadline = field(default_factory=Deadline)
