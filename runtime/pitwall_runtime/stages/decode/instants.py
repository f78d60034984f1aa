"""Turns pictures as they come out of a decoder into pool frames: what is seen at each instant, and what is damaged."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from pitwall_runtime.damage import told
from pitwall_runtime.errors import MediaBrokenError, MediaTooLargeError, NotAVideoError
from pitwall_runtime.media import TICKS, Caption, Damage, Frame, PoolSpec, Rgb
from pitwall_runtime.stages.decode.port import MAX_POOL_FRAMES, MAX_SECONDS, Ended

_LEAST_SHARE = Fraction(1, 2)
"""A video of which less than this can be decoded is refused: an answer would be about another film."""

FOREVER: Final = 1 << 62
"""The end of a stretch that goes on to the end of the video, in ticks."""

_TOLERANCE_SECONDS = Fraction(1, 2)
"""Writers round a video's declared length; an end that comes no earlier than this is whole."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture on the video's own clock, in its ticks.

    `duration` is how long the file says it is shown. `faulty` pictures are smeared; `after_loss` says that pictures
    before this one may be missing, so that the one before it must not be held longer than its duration. `key` pictures
    are those that the video's encoder stored whole.
    """

    start: int
    duration: int
    image: Callable[[], Rgb]
    faulty: bool = False
    after_loss: bool = False
    key: bool = False


class Instants:
    """Takes pictures in display order and gives the pool's frames.

    `lost_from` is where the video should have begun, if its first pictures could not be decoded.
    """

    def __init__(self, spec: PoolSpec, time_base: Fraction, lost_from: int | None = None) -> None:
        self._time_base = time_base
        self._step, self._instants = spec.interval / time_base, spec.instants
        self._origin, self._lost_from = 0, lost_from
        self._held: Shown | None = None
        self._dark = False
        """Faulty pictures after a loss are made of nothing: they stay dark until a whole picture comes."""
        self._next = 0
        self._key = False
        """A key picture has begun since the latest frame, and nothing was lost since."""
        self._damage: list[tuple[int, int]] = []
        self._losses: list[tuple[int, int]] = []

    def show(self, shown: Shown) -> Iterator[Frame]:
        """The frames of all instants at which the picture before this one was seen."""
        held = self._held
        if held is None:
            self._begin(shown.start)
        elif shown.start < held.start:  # one of the two times is wrong
            self._damage.append((max(shown.start, self._origin), held.start + held.duration))
            return
        else:
            lost = shown.after_loss and held.start + held.duration < shown.start
            until = held.start + held.duration if lost else shown.start
            yield from self._hold(held, until)
            self._lose(until, shown.start)
            self._dark = shown.faulty and (lost or self._dark)
        self._held, self._key = shown, self._key or shown.key

    @property
    def is_over(self) -> bool:
        """Whether all that is wanted of the video has been shown: a part of it, whose end is behind the pictures."""
        return self._held is not None and self._held.start >= self._wanted_end(self._held.start + 1)

    def cut(
        self,
        captions: Callable[[int], tuple[Caption, ...]] = lambda _: (),
        doubtful: Sequence[tuple[int, int]] = (),
    ) -> Ended:
        """The end of the part that is wanted, once it `is_over`; see `close`."""
        assert self._held is not None
        self._doubt(doubtful, self._held.start)
        return self._ended(self._held.start, captions)

    def close(
        self,
        last_end: int,
        declared_end: int | None = None,
        *,
        after_loss: bool = False,
        captions: Callable[[int], tuple[Caption, ...]] = lambda _: (),
        doubtful: Sequence[tuple[int, int]] = (),
    ) -> Iterator[Frame | Ended]:
        """The last picture's frames, and the end.

        `last_end`: where the pictures that are in the file end, whether they were decoded or not; `after_loss` says
        that some may have failed. `declared_end`: where the file says that the video ends. `doubtful`: stretches of
        which nothing tells for certain what is shown. `captions` gives the file's subtitles, counted from a tick of the
        video's clock.
        """
        held = self._held
        if held is None:
            raise NotAVideoError(
                "not one picture could be decoded: the file is damaged, or its codec is unknown; "
                "send it again, or re-encode it as MP4 with H.264"
            )
        known = last_end > held.start and not after_loss
        end = last_end if known else held.start + held.duration
        yield from self._hold(held, end)
        self._lose(end, last_end)
        whole = max(end, last_end)
        if declared_end is not None and (declared_end - whole) * self._time_base > _TOLERANCE_SECONDS:
            self._lose(whole, declared_end)
            whole = declared_end
        self._doubt(doubtful, whole)
        yield self._ended(end, captions, whole)

    def _ended(self, end: int, captions: Callable[[int], tuple[Caption, ...]], whole: int | None = None) -> Ended:
        """`end` is where the last picture stops showing, `whole` where the video should."""
        whole, end = self._wanted_end(end if whole is None else whole), self._wanted_end(end)
        if self._instants is None:  # of a beginning the rest may be whole
            self._refuse_ruins(whole)
        until = self._seconds(whole)
        spoken = tuple(caption for caption in captions(self._origin) if caption.start_seconds < until)
        return Ended(round((end - self._origin) / self._step * TICKS), self._stretches(whole), spoken)

    def _wanted_end(self, end: int) -> int:
        """`end`, or where the part that is wanted ends if that is earlier."""
        if self._instants is None:
            return end
        return min(end, self._origin + math.ceil(self._instants * self._step))

    def _begin(self, start: int) -> None:
        self._origin = start
        if self._lost_from is not None and self._lost_from < start:
            self._origin = self._lost_from
            self._lose(self._origin, start)

    def _hold(self, shown: Shown, until: int) -> Iterator[Frame]:
        if self._dark:
            self._lose(shown.start, until)
            return
        if shown.faulty:
            self._damage.append((shown.start, until))
        if (until - self._origin) * self._time_base > MAX_SECONDS:
            raise MediaTooLargeError(f"the video lasts longer than the limit of {MAX_SECONDS} s; send a part of it")
        start, end, image = shown.start - self._origin, until - self._origin, None
        # Of a picture that follows a loss, the instants before its start are passed over: nobody knows what was there.
        self._next = max(self._next, -int(-start // self._step))
        while self._next * self._step < end and (self._instants is None or self._next < self._instants):
            if self._next >= MAX_POOL_FRAMES:
                raise MediaTooLargeError(f"more than {MAX_POOL_FRAMES} pool frames; lower decode.framesPerMinute")
            if image is None:
                image = shown.image()
            yield Frame(self._next * TICKS, image, self._key)
            self._next, self._key = self._next + 1, False

    def _doubt(self, stretches: Sequence[tuple[int, int]], end: int) -> None:
        within = ((max(start, self._origin), min(until, end)) for start, until in stretches)
        self._damage += [(start, until) for start, until in within if start < until]

    def _lose(self, start: int, end: int) -> None:
        if start < end:
            self._damage.append((start, end))
            self._losses.append((start, end))
            self._key = False

    def _refuse_ruins(self, end: int) -> None:
        whole = end - self._origin
        missing = sum(last - first for first, last in self._losses)
        if whole and Fraction(whole - missing, whole) < _LEAST_SHARE:
            seconds = float(whole * self._time_base)
            decoded = float((whole - missing) * self._time_base)
            raise MediaBrokenError(
                f"the video should last {seconds:.0f} s but only {decoded:.0f} s can be decoded; "
                "it is truncated or damaged, upload it again"
            )

    def _stretches(self, until: int) -> tuple[Damage, ...]:
        """What is damaged before `until`, in seconds from the first picture, stretches that touch joined, and of very
        many the nearest."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted((start, min(end, until)) for start, end in self._damage if start < until):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return told([Damage(self._seconds(start), self._seconds(end)) for start, end in joined])

    def _seconds(self, ticks: int) -> float:
        return round(float((ticks - self._origin) * self._time_base), 3)
