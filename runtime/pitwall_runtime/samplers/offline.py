"""A sampler's context from plain arrays: for evaluation, benchmarks and tests, without a video or an encoder."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pitwall_runtime.media import Floats, Shot
from pitwall_runtime.samplers.contract import Indices, SamplerContext, Seconds, finite


class ArrayFeatures:
    """Scores [N] and embeddings [N, D] that are already there. `queries` has the scores of other texts."""

    def __init__(
        self, scores: Floats, embeddings: Floats | None = None, queries: dict[str, Floats] | None = None
    ) -> None:
        self._scores = finite(np.asarray(scores, dtype=np.float32))
        self._queries = {text: finite(np.asarray(one, dtype=np.float32)) for text, one in (queries or {}).items()}
        # Without embeddings nothing is known of how frames differ: one direction for all.
        alike = np.ones((len(self._scores), 1), dtype=np.float32)
        self._embeddings = alike if embeddings is None else np.asarray(embeddings, dtype=np.float32)

    def embeddings(self, indices: Indices | None) -> Floats:
        """The rows as given; without any, the same row for every frame."""
        return rows_of(self._embeddings, indices)

    def scores(self, indices: Indices | None, query: str) -> Floats:
        """The scores of a known text, else those of the question."""
        return rows_of(self._queries.get(query, self._scores), indices)


def rows_of(array: Floats, indices: Indices | None) -> Floats:
    """The given rows, or all of them."""
    rows: Floats = array if indices is None else array[np.asarray(indices, dtype=np.intp)]
    return rows


def offline_context(
    scores: Sequence[float] | Floats,
    max_frames: int,
    *,
    embeddings: Floats | None = None,
    pts_seconds: Seconds | None = None,
    shots: tuple[Shot, ...] = (),
    **more: Any,
) -> SamplerContext:
    """A context over N = len(scores) frames: one a second and one shot where nothing else is said.

    `more` goes to SamplerContext: question, sub_questions, seed, signals, allowance, model, features.
    """
    known = np.asarray(scores, dtype=np.float32)
    pts = np.arange(len(known), dtype=np.float64) if pts_seconds is None else pts_seconds
    return SamplerContext(
        pts_seconds=pts,
        durations_seconds=durations(pts),
        shots=shots or (Shot(0, len(known)),),
        max_frames=max_frames,
        **{"question": "", "seed": 0, "features": ArrayFeatures(known, embeddings), **more},
    )


def durations(pts_seconds: Seconds) -> Seconds:
    """How long each frame shows: until the next one; the last as long as the one before it, or a second."""
    gaps = np.diff(pts_seconds)
    return np.append(gaps, gaps[-1] if len(gaps) else 1.0)
