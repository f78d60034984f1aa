"""Tells what of a video is damaged in so many stretches at most, however many there are."""

from collections.abc import Sequence
from heapq import nlargest
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
    gaps = [later.start_seconds - earlier.end_seconds for earlier, later in pairwise(stretches)]
    widest = nlargest(most - 1, range(len(gaps)), key=gaps.__getitem__)
    edges = [0, *sorted(gap + 1 for gap in widest), len(stretches)]
    return tuple(_joined(stretches[first:end]) for first, end in pairwise(edges))


def _joined(near: Sequence[Damage]) -> Damage:
    start, end = near[0].start_seconds, near[-1].end_seconds
    damaged = sum(one.damaged_seconds for one in near)
    return Damage(start, end, sum(one.stretches for one in near), round(end - start - damaged, 3))
