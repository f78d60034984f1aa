"""Types that the whole runtime shares: video, frame, shot, selection, tokens. Data only."""

import math
import operator
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
"""One image, [height, width, 3], RGB."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Caption:
    """Words that are shown or said during [start_seconds, end_seconds): a subtitle, or a line of speech recognition."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Video:
    """A video on disk. Its identity is the SHA-256 of its bytes, never its name.

    `subtitles` came beside it, in a file of their own, and stand in for those inside; None: there is no such file.
    """

    content_hash: str
    path: Path
    subtitles: tuple[Caption, ...] | None = None


TICKS = 90_000
"""Ticks between two instants of a pool: each instant is a whole number of them, whatever the rate."""

_EDITION = 4
"""Raised when the same video gives another pool than before, so that no cache mixes the two."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What of a video is asked about: [start_seconds, end_seconds) on its clock."""

    start_seconds: float = 0.0
    end_seconds: float = math.inf


WHOLE = Stretch()


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """How a video is decoded into its frame pool: pool rate, height, how much of its beginning (0: all of it), and
    what decodes it. Part of every cache key."""

    frames_per_minute: int = 60
    height_pixels: int = 240
    first_seconds: int = 0
    maker: str = ""

    @property
    def key(self) -> str:
        """A name for folders, e.g. `60fpm-240px-4-pyav-0123456789ab`."""
        made = f"-{self.maker}" if self.maker else ""
        return f"{self.frames_per_minute}fpm-{self.height_pixels}px-{_EDITION}{self.part}{made}"

    @property
    def part(self) -> str:
        """What tells a pool of a beginning from one of the whole video, e.g. `-first60s`; empty for the whole."""
        return f"-first{self.first_seconds}s" if self.first_seconds else ""

    @property
    def interval(self) -> Fraction:
        """Seconds between pool frames."""
        return Fraction(60, self.frames_per_minute)

    @property
    def time_base(self) -> Fraction:
        """Seconds of one tick."""
        return self.interval / TICKS

    @property
    def instants(self) -> int | None:
        """How many instants lie in the part that is wanted; None for all of the video."""
        return math.ceil(self.first_seconds / self.interval) if self.first_seconds else None


@dataclass(frozen=True, slots=True)
class Frame:
    """What a viewer sees at one instant: the instant in ticks from the first picture, and the picture.

    `key`: it is the first frame to show a picture that the video's encoder stored whole (an I-frame), or one that
    follows it before the next instant.
    """

    pts: int
    image: Rgb
    key: bool = False


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a video, [start_seconds, end_seconds), that could not be decoded, or only with visible faults.

    Where a video has very many, the nearest are joined: into one of so many `stretches`, with `whole_seconds` between
    them at which nothing is damaged.
    """

    start_seconds: float
    end_seconds: float
    stretches: int = 1
    whole_seconds: float = 0.0

    @property
    def damaged_seconds(self) -> float:
        """How long it is without what is whole between."""
        return self.end_seconds - self.start_seconds - self.whole_seconds


@dataclass(frozen=True, slots=True)
class Timeline:
    """What holds for a whole video: the length of a tick, where the last frame stops showing, and what is beside its
    pictures: damaged stretches, and the subtitles that the file holds."""

    time_base: Fraction
    end_pts: int
    damage: tuple[Damage, ...] = ()
    subtitles: tuple[Caption, ...] = ()


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames [start, end) of the pool, half-open."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a shot is [start, end) with 0 <= start < end, got [{self.start}, {self.end})")


_start = operator.attrgetter("start")


@dataclass(frozen=True, slots=True)
class FramePool:
    """What is known of a decoded video without touching pixels: exact times, shots, key frames, and what the file says.

    `pts` are integer ticks of `time_base` seconds, strictly increasing; the last frame shows until `end_pts`. Instants
    at which a damaged video shows nothing that is known have no frame. `key_frames` are the frames with `Frame.key`.
    """

    video_hash: str
    spec: PoolSpec
    time_base: Fraction
    pts: tuple[int, ...]
    end_pts: int
    shots: tuple[Shot, ...]
    damage: tuple[Damage, ...] = ()
    key_frames: tuple[int, ...] = ()
    subtitles: tuple[Caption, ...] = ()

    def __len__(self) -> int:
        return len(self.pts)

    def seconds(self, index: int) -> float:
        """Presentation time of pool frame `index`; `len(pool)` gives the end of the video."""
        ticks = self.end_pts if index >= len(self.pts) else self.pts[index]
        return float(ticks * self.time_base)

    def shot_of(self, index: int) -> Shot:
        """The shot that holds pool frame `index`."""
        place = bisect_right(self.shots, index, key=_start) - 1
        if place < 0 or index >= self.shots[place].end:
            raise IndexError(f"frame {index} is in no shot of a pool of {len(self)}")
        return self.shots[place]


Diagnostic = bool | int | float | str | tuple[float, ...]
"""A word, a number or a curve of numbers about why a sampler chose as it did."""

MOST_HALVINGS = 4
"""A side of 16 regions halved four times is one."""


class SelectionError(ValueError):
    """What a sampler chose is no selection: frames that are no integers, not sorted, given twice or negative."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Pool frames that a sampler chose: sorted and unique. Integers of other libraries become Python's.

    `tiers` may have one entry per frame, how often its side is halved: 0 whole, 1 a quarter of the tokens, 2 a
    sixteenth. `diagnostics` say why, for people; `pts_seconds` are filled in by the runtime.
    """

    indices: tuple[int, ...]
    tiers: tuple[int, ...] = ()
    diagnostics: Mapping[str, Diagnostic] = field(default_factory=dict)
    pts_seconds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        indices = _whole("frames", self.indices)
        rising = all(earlier < later for earlier, later in pairwise(indices))
        if not rising or (indices and indices[0] < 0):
            raise SelectionError(f"a selection is sorted, unique and not negative, got {indices[:8]}; use Selection.of")
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "tiers", _whole("tiers", self.tiers))
        known = all(0 <= tier <= MOST_HALVINGS for tier in self.tiers)
        if self.tiers and not (known and len(self.tiers) == len(self.indices)):
            raise SelectionError(
                f"tiers are none or one of 0..{MOST_HALVINGS} per frame; "
                f"got {self.tiers[:8]} for {len(self.indices)} frames"
            )

    @classmethod
    def of(cls, chosen: Iterable[int], **diagnostics: Diagnostic) -> "Selection":
        """The selection of these frames in time order, whatever order and integers they come in. Raises SelectionError
        for what is no integer: to round is the sampler's to decide."""
        return cls(tuple(sorted(_whole("frames", chosen))), diagnostics=diagnostics)

    def __len__(self) -> int:
        return len(self.indices)


def _whole(what: str, given: Iterable[int]) -> tuple[int, ...]:
    """Python's own integers, which JSON can hold. Raises SelectionError for what is no sequence of integers."""
    try:
        return tuple(operator.index(one) for one in given)
    except TypeError as error:
        raise SelectionError(f"{what} are a tuple of integers, got {given!r:.100}: {error}") from None


@dataclass(frozen=True, slots=True)
class Embedded:
    """What an encoder makes of B frames.

    `vectors` [B, D], unit rows; `grids` [B, side, side, D], the same space per region of the picture, the visual tokens
    before reduction; `labels` [B, L], class numbers, most likely first, -1 where there is none.
    """

    vectors: Floats
    grids: npt.NDArray[np.float16]
    labels: npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class EmbeddingShape:
    """Sizes of an encoder's output: dimension D, grid side, labels per frame L.

    `regions_compare` says whether a region of the grid may be compared with a question, as the whole frame may.
    """

    dimension: int
    side: int
    labels: int
    regions_compare: bool = False


@dataclass(frozen=True, slots=True)
class VisualTokens:
    """Visual tokens of the chosen frames after reduction, [count, dimension].

    `side` is the largest grid side that a frame kept, `per_frame` how many tokens each did (1 where frames merged).
    """

    values: Floats
    side: int
    per_frame: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many visual tokens a language model would read."""
        return int(self.values.shape[0])


def clock(seconds: float) -> str:
    """A time as people write it: `3:07`, or `1:02:07` from an hour on."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
