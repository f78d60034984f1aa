"""The part of a pool that a question is about, as its sampler sees it: a pool of its own, whose first frame is 0."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from pitwall_runtime.errors import BadQuestionError
from pitwall_runtime.media import TICKS, Caption, Floats, FramePool, Selection, Shot, Stretch, clock
from pitwall_runtime.samplers.contract import FeatureSource, FrameModel, Indices, Seconds


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Frames [first, end) of a pool. Numbers of frames go in and out as the sampler counts them, from `first` on."""

    pool: FramePool
    first: int
    end: int

    @classmethod
    def of(cls, pool: FramePool, stretch: Stretch) -> Self:
        """The frames that are seen during the stretch. Raises BadQuestionError if there are none."""
        if pool.seconds(len(pool)) <= stretch.start_seconds:
            raise BadQuestionError(
                f"the question is about what comes after {clock(stretch.start_seconds)}, but the video ends at "
                f"{clock(pool.seconds(len(pool)))}; ask about an earlier part"
            )
        begin, behind = stretch.start_seconds / pool.time_base, stretch.end_seconds / pool.time_base
        # The frame that is seen when the stretch begins may have begun before, by less than an instant.
        first = bisect_right(pool.pts, begin - TICKS)
        end = max(bisect_left(pool.pts, behind), min(first + 1, bisect_right(pool.pts, begin)))
        if first >= end:
            raise BadQuestionError(
                f"nothing of the video between {clock(stretch.start_seconds)} and {clock(stretch.end_seconds)} could "
                "be decoded: it is damaged there; ask about another part, or send it again"
            )
        return cls(pool, first, end)

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the pool."""
        return self.end - self.first == len(self.pool)

    def edges_seconds(self) -> Seconds:
        """[N + 1], when each frame begins to show, and when the last one ends."""
        pts = (*self.pool.pts, self.pool.end_pts)[self.first : self.end + 1]
        return np.array(pts, dtype=np.float64) * float(self.pool.time_base)

    def shots(self) -> tuple[Shot, ...]:
        """Shots, and what of them lies within."""
        if self.is_whole:
            return self.pool.shots
        return tuple(
            Shot(max(shot.start, self.first) - self.first, min(shot.end, self.end) - self.first)
            for shot in self.pool.shots
            if shot.start < self.end and shot.end > self.first
        )

    def key_frames(self) -> tuple[int, ...]:
        """Those within."""
        if self.is_whole:
            return self.pool.key_frames
        return tuple(index - self.first for index in self.pool.key_frames if self.first <= index < self.end)

    def captions(self, captions: tuple[Caption, ...]) -> tuple[Caption, ...]:
        """Those that are shown or said meanwhile."""
        begin, end = self.pool.seconds(self.first), self.pool.seconds(self.end)
        return tuple(one for one in captions if one.start_seconds < end and one.end_seconds > begin)

    def features(self, source: FeatureSource) -> FeatureSource:
        """The source's, of these frames."""
        return source if self.is_whole else _ExcerptFeatures(self, source)

    def model(self, model: FrameModel | None) -> FrameModel | None:
        """The model, which is shown these frames."""
        return model if model is None or self.is_whole else _ExcerptModel(self, model)

    def selected(self, selection: Selection) -> Selection:
        """What the sampler chose, as numbers of the pool's frames."""
        return replace(selection, indices=tuple(self.of_pool(selection.indices)))

    def of_pool(self, indices: Indices | None) -> list[int]:
        """Numbers of the pool's frames; all of the excerpt's for None."""
        chosen = range(self.end - self.first) if indices is None else indices
        return [int(index) + self.first for index in chosen]


@dataclass(frozen=True, slots=True)
class _ExcerptFeatures:
    excerpt: Excerpt
    source: FeatureSource

    def embeddings(self, indices: Indices | None = None) -> Floats:
        return self.source.embeddings(self.excerpt.of_pool(indices))

    def scores(self, indices: Indices | None = None, query: str = "") -> Floats:
        return self.source.scores(self.excerpt.of_pool(indices), query)


@dataclass(frozen=True, slots=True)
class _ExcerptModel:
    excerpt: Excerpt
    whole: FrameModel

    async def ask(self, prompt: str, indices: Sequence[int]) -> str:
        return await self.whole.ask(prompt, self.excerpt.of_pool(indices))
