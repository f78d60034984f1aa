"""Rows are filled once, seen by everybody, and centred the same way whoever asks."""

import os
import shutil
from contextlib import ExitStack
from fractions import Fraction

import numpy as np
import pytest

from pitwall_runtime.errors import StorageFullError, UnavailableError
from pitwall_runtime.media import Embedded, EmbeddingShape, FramePool, PoolSpec, Shot
from pitwall_runtime.stores.embeddings.embed_cache import EmbedCache

SHAPE = EmbeddingShape(dimension=6, side=2, labels=3)


@pytest.fixture
def pool():
    return FramePool("cd" * 32, PoolSpec(), Fraction(1, 1), tuple(range(100)), 100, (Shot(0, 100),))


def embedded(rows):
    rng = np.random.default_rng(sum(rows))
    vectors = rng.normal(size=(len(rows), 6)).astype(np.float32)
    grids = rng.normal(size=(len(rows), 2, 2, 6)).astype(np.float16)
    return Embedded(vectors, grids, rng.integers(0, 9, (len(rows), 3)).astype(np.int16))


@pytest.fixture
def opened():
    """Opens a cache's rows for the whole test."""
    with ExitStack() as stack:
        yield lambda cache, pool, key="conse-1": stack.enter_context(cache.opened(pool, key, SHAPE))


def test_what_one_process_fills_another_sees_at_once(tmp_path, pool, opened):
    mine, other = (opened(EmbedCache(tmp_path), pool) for _ in range(2))
    assert other.missing(range(100)) == list(range(100))
    made = embedded([3, 7])
    mine.fill([3, 7], made)
    assert other.missing([2, 3, 7, 8]) == [2, 8]
    assert np.array_equal(other.vectors_of([3, 7]), made.vectors)
    assert np.array_equal(other.grids_of([7, 3]), made.grids[::-1])
    assert np.array_equal(other.labels_of([3, 7]), made.labels)


def test_another_encoder_or_revision_shares_nothing(tmp_path, pool, opened):
    cache = EmbedCache(tmp_path)
    opened(cache, pool, "conse-1").fill([0], embedded([0]))
    assert opened(cache, pool, "conse-2").missing([0]) == [0]


def test_a_new_process_finds_what_an_old_one_left(tmp_path, pool, opened):
    with EmbedCache(tmp_path).opened(pool, "conse-1", SHAPE) as rows:
        rows.fill([5], embedded([5]))
    assert opened(EmbedCache(tmp_path), pool).missing([4, 5]) == [4]


NO_NUMBERS = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_stored_vectors_that_are_no_numbers_are_missing_until_they_are_made_anew(tmp_path, pool, opened, value, caplog):
    whole, damaged = embedded([4, 5]), embedded([4, 5])
    damaged.vectors[1, 3] = value
    opened(EmbedCache(tmp_path), pool).fill([4, 5], damaged)
    rows = opened(EmbedCache(tmp_path), pool)
    before = [rows.missing([4, 5, 6]) for _ in range(3)]
    rows.fill([5], Embedded(*(part[1:] for part in (whole.vectors, whole.grids, whole.labels))))

    assert before == [[5, 6]] * 3
    assert rows.missing([4, 5]) == []
    assert caplog.text.count("no finite numbers") <= 1, "it is told once"


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_stored_regions_that_are_no_numbers_are_an_error_once(tmp_path, pool, opened, value):
    damaged = embedded([4, 5])
    damaged.grids[1, 0, 1, 2] = value
    rows = opened(EmbedCache(tmp_path), pool)
    rows.fill([4, 5], damaged)
    assert np.array_equal(rows.grids_of([4]), damaged.grids[:1])
    with pytest.raises(UnavailableError, match="ask again"):
        rows.grids_of([4, 5])
    assert rows.missing([4, 5]) == [5]


def test_a_frame_is_centred_alike_whether_all_or_few_are_there(tmp_path, pool, opened):
    cache = EmbedCache(tmp_path)
    few, many = (opened(cache, pool, key) for key in ("few", "many"))
    everything = list(range(100))
    made = embedded(everything)
    needed = sorted({*few.centre_rows(), 41})
    few.fill(needed, Embedded(made.vectors[needed], made.grids[needed], made.labels[needed]))
    many.fill(everything, made)
    question = np.eye(6, dtype=np.float32)[0]
    assert few.missing(everything)
    np.testing.assert_allclose(few.centred([41]), many.all_centred()[[41]], rtol=1e-6)
    np.testing.assert_allclose(few.best_regions(question, [41]), many.best_regions(question)[[41]], rtol=1e-5)
    assert np.linalg.norm(few.centred([41])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("vectors.npy", b"", id="an empty array, as a power cut leaves it"),
        pytest.param("grids.npy", b"not NumPy's", id="another file"),
        pytest.param("present.npy", None, id="an array is gone"),
    ],
)
def test_damaged_embeddings_count_as_none(tmp_path, pool, opened, name, content):
    with EmbedCache(tmp_path).opened(pool, "conse-1", SHAPE) as rows:
        rows.fill([5], embedded([5]))
    path = tmp_path / pool.video_hash / pool.spec.key / "conse-1" / name
    path.unlink() if content is None else path.write_bytes(content)
    rows = opened(EmbedCache(tmp_path), pool)
    assert rows.missing([5]) == [5]
    rows.fill([5], embedded([5]))
    assert rows.missing([5]) == []


def test_rows_of_another_shape_are_made_anew(tmp_path, pool):
    with EmbedCache(tmp_path).opened(pool, "conse-1", SHAPE) as rows:
        rows.fill([5], embedded([5]))
    wider = EmbeddingShape(dimension=8, side=2, labels=3)
    with EmbedCache(tmp_path).opened(pool, "conse-1", wider) as rows:
        assert rows.missing([5]) == [5]
        assert rows.vectors_of([5]).shape == (1, 8)


def test_an_encoder_without_labels_has_none(tmp_path, pool):
    bare = EmbeddingShape(dimension=6, side=2, labels=0)
    with EmbedCache(tmp_path).opened(pool, "bare", bare) as rows:
        made = embedded([1, 2])
        rows.fill([1, 2], Embedded(made.vectors, made.grids, made.labels[:, :0]))
        assert rows.labels_of([1, 2]).shape == (2, 0)


def test_a_cut_file_is_an_error_and_not_the_end_of_the_process(tmp_path, pool, opened):
    rows = opened(EmbedCache(tmp_path), pool)
    rows.fill([99], embedded([99]))
    os.truncate(tmp_path / pool.video_hash / pool.spec.key / "conse-1" / "vectors.npy", 200)
    with pytest.raises(OSError, match="was cut"):
        rows.vectors_of([99])


def test_memory_stays_within_its_bound_whatever_is_asked(tmp_path):
    """Forty films, each a question over all frames: the same scores as without a bound, and never more bytes."""
    bound, question = 20_000, np.eye(6, dtype=np.float32)[0]
    small, large = EmbedCache(tmp_path, hot_bytes=bound), EmbedCache(tmp_path, hot_bytes=1 << 30)
    for number in range(40):
        film = FramePool(f"{number:064x}", PoolSpec(), Fraction(1, 1), tuple(range(100)), 100, (Shot(0, 100),))
        with small.opened(film, "e", SHAPE) as bounded, large.opened(film, "e", SHAPE) as free:
            bounded.fill(list(range(100)), embedded(list(range(number, number + 100))))
            assert np.array_equal(bounded.all_centred(), free.all_centred())
            assert np.array_equal(bounded.best_regions(question), free.best_regions(question))
            assert small.hot.bytes <= bound
    assert large.hot.bytes > 10 * bound


def full_disk(_):
    raise StorageFullError("full")


def test_rows_that_the_disk_has_no_room_for_are_there_for_who_needs_them(tmp_path, pool, opened):
    cache = EmbedCache(tmp_path)
    rows = opened(cache, pool)
    rows.fill([1, 2], embedded([1, 2]))
    rows.grow = full_disk
    made = embedded([3, 4])
    rows.fill([3, 4], made)
    assert rows.missing([1, 2, 3, 4, 5]) == [5]
    assert np.array_equal(rows.vectors_of([3, 1, 4])[[0, 2]], made.vectors)
    assert np.array_equal(rows.vectors_of([3, 1, 4])[1], embedded([1, 2]).vectors[0])
    assert opened(EmbedCache(tmp_path), pool).missing([2, 3]) == [3], "another process does not see them"


def test_a_disk_without_room_for_a_folder_costs_no_answer(small_disk, pool):
    (small_disk / "filler").write_bytes(bytes(8 << 20)[: free(small_disk)])
    cache = EmbedCache(small_disk / "cache" / "embeddings")
    with cache.opened(pool, "conse-1", SHAPE) as rows:
        made = embedded(list(range(100)))
        rows.fill(list(range(100)), made)
        assert rows.missing(range(100)) == []
        assert np.array_equal(rows.vectors_of(range(100)), made.vectors)


def test_a_disk_that_fills_up_on_the_way_costs_no_answer(small_disk):
    """Rows larger than what is free: with a memory map this was SIGBUS, the end of the process."""
    wide = EmbeddingShape(dimension=512, side=4, labels=3)
    film = FramePool("ee" * 32, PoolSpec(), Fraction(1, 1), tuple(range(400)), 400, (Shot(0, 400),))
    with EmbedCache(small_disk / "cache" / "embeddings").opened(film, "e", wide) as rows:
        for start in range(0, 400, 50):
            chunk = list(range(start, start + 50))
            values = np.full((50, 512), start, np.float32), np.zeros((50, 4, 4, 512), np.float16)
            rows.fill(chunk, Embedded(*values, np.zeros((50, 3), np.int16)))
        assert rows.missing(range(400)) == []
        assert [int(row[0]) for row in rows.vectors_of(range(0, 400, 50))] == list(range(0, 400, 50))
    assert free(small_disk) < 4 << 20


def free(path) -> int:
    return shutil.disk_usage(path).free
