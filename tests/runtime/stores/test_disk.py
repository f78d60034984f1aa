"""Pools are stored whole or not at all, and read by any process."""

from fractions import Fraction

import numpy as np
import pytest

from pitwall_runtime.media import Frame, PoolSpec, Shot, Video
from pitwall_runtime.stores.disk import DiskFrameStore

SPEC = PoolSpec()


@pytest.fixture
def video(tmp_path):
    return Video("ab" * 32, tmp_path / "film.mp4", 1)


def fill_with(count):
    def fill(writer):
        for number in range(count):
            writer.add(Frame(number * 100, np.full((32, 48, 3), number * 10, np.uint8)))
        return writer.commit(Fraction(1, 100), count * 100, (Shot(0, count),))

    return fill


def test_a_pool_is_found_by_another_process_as_it_was_written(tmp_path, video):
    written = DiskFrameStore(tmp_path / "frames").write(video, SPEC, fill_with(5))
    other = DiskFrameStore(tmp_path / "frames")
    assert other.find(video, SPEC) == written
    assert other.jpeg(written, 3).startswith(b"\xff\xd8")
    assert other.jpeg(written, 4).endswith(b"\xff\xd9")


def test_another_rate_or_height_is_another_pool(tmp_path, video):
    store = DiskFrameStore(tmp_path / "frames")
    store.write(video, SPEC, fill_with(5))
    assert store.find(video, PoolSpec(30, 240)) is None
    assert store.find(video, PoolSpec(60, 120)) is None


def test_a_failure_on_the_way_leaves_nothing(tmp_path, video):
    def fail(writer):
        writer.add(Frame(0, np.zeros((32, 48, 3), np.uint8)))
        raise RuntimeError("decoder gone")

    store = DiskFrameStore(tmp_path / "frames")
    with pytest.raises(RuntimeError, match="decoder gone"):
        store.write(video, SPEC, fail)
    assert store.find(video, SPEC) is None
    assert [path for path in (tmp_path / "frames").rglob("*") if path.is_file()] == []
