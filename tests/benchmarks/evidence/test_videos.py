"""The made-up videos are what their description says."""

from itertools import product

import numpy as np
import pytest
from benchmarks.evidence.videos import LAYOUTS, LENGTHS_SECONDS, MOMENTS, MadeUpWorld, make, videos

KINDS = list(product(MOMENTS, LENGTHS_SECONDS, LAYOUTS))


@pytest.fixture(scope="module")
def some():
    return list(videos(1, seed=5))


def test_every_number_of_moments_length_and_layout_once(some):
    assert [(video.moments, video.length_seconds, video.layout) for video in some] == KINDS


def test_the_same_seed_makes_the_same_videos(some):
    first, again = some[0], next(videos(1, seed=5))

    assert again.evidence == first.evidence
    assert again.relevance.tolist() == first.relevance.tolist()
    assert next(videos(1, seed=6)).evidence != first.evidence


@pytest.mark.parametrize("kind", KINDS, ids="{0[0]}, {0[1]} s, {0[2]}".format)
def test_moments_lie_in_the_video_apart_from_each_other(some, kind):
    video = some[KINDS.index(kind)]
    count = {"1": {1}, "2": {2}, "≥ 3": {3, 4, 5, 6}}[video.moments]
    starts = [start for start, _ in video.evidence]
    ends = [end for _, end in video.evidence]

    assert len(video.evidence) in count
    assert all(0 <= start < end <= video.length_seconds for start, end in video.evidence)
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    if video.layout == "burst":
        assert starts[-1] - starts[0] < 90 + 90 * len(starts)
    if video.layout == "gap" and len(starts) > 1:
        assert starts[-1] - starts[0] > 0.5 * video.length_seconds
    assert np.linalg.norm(video.embeddings, axis=1) == pytest.approx(np.ones(len(video.embeddings)), abs=1e-4)
    assert (video.shot_edges[0], video.shot_edges[-1]) == (0, video.length_seconds)
    assert (np.diff(video.shot_edges) > 0).all()


def test_evidence_is_more_relevant_than_the_rest_and_decoys_are_as_much():
    inside, outside = [], []
    for number in range(30):
        video = make(np.random.default_rng(number), "2", 600, "plain", MadeUpWorld(decoys=0))
        is_evidence = np.zeros(600, bool)
        for start, end in video.evidence:
            is_evidence[int(start) + 2 : int(end) - 1] = True
        inside.append(video.relevance[is_evidence].mean() if is_evidence.any() else np.nan)
        outside.append(video.relevance[~is_evidence].mean())

    assert np.nanmean(inside) - np.mean(outside) > 0.08
    # Alone, a moment cannot always be told from noise: some lean by less than two deviations of it.
    assert np.nanmin(inside) < np.mean(outside) + 2 * 0.057
