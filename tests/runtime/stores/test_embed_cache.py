"""Rows are filled once, seen by everybody, and centred the same way whoever asks."""

from fractions import Fraction

import numpy as np
import pytest

from pitwall_runtime.media import Embedded, EmbeddingShape, FramePool, PoolSpec, Shot
from pitwall_runtime.stores.embed_cache import EmbedCache

SHAPE = EmbeddingShape(dimension=6, side=2, labels=3)


@pytest.fixture
def pool():
    return FramePool("cd" * 32, PoolSpec(), Fraction(1, 1), tuple(range(100)), 100, (Shot(0, 100),))


def embedded(rows):
    rng = np.random.default_rng(sum(rows))
    vectors = rng.normal(size=(len(rows), 6)).astype(np.float32)
    grids = rng.normal(size=(len(rows), 2, 2, 6)).astype(np.float16)
    return Embedded(vectors, grids, rng.integers(0, 9, (len(rows), 3)).astype(np.int16))


def test_what_one_process_fills_another_sees_at_once(tmp_path, pool):
    mine = EmbedCache(tmp_path).open(pool, "conse-1", SHAPE)
    other = EmbedCache(tmp_path).open(pool, "conse-1", SHAPE)
    assert other.missing(range(100)) == list(range(100))
    made = embedded([3, 7])
    mine.fill([3, 7], made)
    assert other.missing([2, 3, 7, 8]) == [2, 8]
    assert np.array_equal(other.vectors[[3, 7]], made.vectors)
    assert np.array_equal(other.grids[[3, 7]], made.grids)
    assert np.array_equal(other.labels[[3, 7]], made.labels)


def test_another_encoder_or_revision_shares_nothing(tmp_path, pool):
    cache = EmbedCache(tmp_path)
    cache.open(pool, "conse-1", SHAPE).fill([0], embedded([0]))
    assert cache.open(pool, "conse-2", SHAPE).missing([0]) == [0]


def test_a_new_process_finds_what_an_old_one_left(tmp_path, pool):
    EmbedCache(tmp_path).open(pool, "conse-1", SHAPE).fill([5], embedded([5]))
    assert EmbedCache(tmp_path).open(pool, "conse-1", SHAPE).missing([4, 5]) == [4]


def test_a_frame_is_centred_alike_whether_all_or_few_are_there(tmp_path, pool):
    cache = EmbedCache(tmp_path)
    few, many = (cache.open(pool, key, SHAPE) for key in ("few", "many"))
    everything = list(range(100))
    made = embedded(everything)
    needed = sorted({*few.centre_rows(), 41})
    few.fill(needed, Embedded(made.vectors[needed], made.grids[needed], made.labels[needed]))
    many.fill(everything, made)
    assert few.missing(everything)
    np.testing.assert_allclose(few.centred([41]), many.all_centred()[[41]], rtol=1e-6)
    np.testing.assert_allclose(few.centred_regions([41]), many.all_centred_regions()[[41]], rtol=1e-5)
    assert np.linalg.norm(few.centred([41])) == pytest.approx(1, abs=1e-6)
