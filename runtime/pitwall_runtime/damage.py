"""Tells what of a video is damaged in so many stretches at most, however many there are."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pitwall_runtime.media import Damage

MOST_TOLD: Final = 100
"""Stretches of one video that are told: every answer about it names them all."""


def told(stretches: Sequence[Damage], most: int = MOST_TOLD) -> tuple[Damage, ...]:
    """`stretches`, which are apart and in time order, or `most` of them where there are more: the nearest are joined,
    so that every damaged instant lies in one that is told. Each says what it is joined of."""
    if len(stretches) <= most:
        return tuple(stretches)
    gaps = [round(later.start_seconds - earlier.end_seconds, 3) for earlier, later in pairwise(stretches)]
    edges = [0, *(gap + 1 for gap in _widest(gaps, most - 1)), len(stretches)]
    return tuple(_joined(stretches[first:end]) for first, end in pairwise(edges))


def _widest(gaps: Sequence[float], count: int) -> list[int]:
    """Which of the gaps stay, in order; of equal ones such that lie evenly over the video."""
    if not count:
        return []
    least = sorted(gaps, reverse=True)[count - 1]
    wider = [place for place, gap in enumerate(gaps) if gap > least]
    equal = [place for place, gap in enumerate(gaps) if gap == least]
    left = count - len(wider)
    return sorted([*wider, *(equal[(2 * number + 1) * len(equal) // (2 * left)] for number in range(left))])


def _joined(near: Sequence[Damage]) -> Damage:
    start, end = near[0].start_seconds, near[-1].end_seconds
    damaged = sum(one.damaged_seconds for one in near)
    return Damage(start, end, sum(one.stretches for one in near), round(end - start - damaged, 3))
