"""Pools are stored whole or not at all, and read by any process."""

import io
import json
import pathlib
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.media import Caption, Damage, Frame, PoolSpec, Shot, Timeline, Video
from pitwall_runtime.stores.frames.disk import FRAMES, TABLE, DiskFrameStore
from pitwall_runtime.stores.frames.memory import MemoryFrameStore

SPEC = PoolSpec()


@pytest.fixture
def video(tmp_path):
    return Video("ab" * 32, tmp_path / "film.mp4")


def fill_with(count):
    def fill(writer):
        for number in range(count):
            writer.add(Frame(number * 100, np.full((32, 48, 3), number * 10, np.uint8), key=number % 2 == 0))
        said = (Caption(0.5, 1.0, "Über den Wolken"),)
        return writer.commit(Timeline(Fraction(1, 100), count * 100, (Damage(0.5, 1.0),), said), (Shot(0, count),))

    return fill


def test_a_pool_is_found_by_another_process_as_it_was_written(tmp_path, video):
    written = DiskFrameStore(tmp_path / "frames").write(video, SPEC, fill_with(5))
    other = DiskFrameStore(tmp_path / "frames")
    assert other.find(video, SPEC) == written
    assert written.key_frames == (0, 2, 4)
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


@pytest.mark.parametrize(
    ("content", "is_there"),
    [
        pytest.param("", False, id="an empty table of contents, as a power cut leaves it"),
        pytest.param('{"pts": [0,', False, id="half a table"),
        pytest.param("{}", False, id="a table without entries"),
        pytest.param("[1, 2]", False, id="another file"),
        pytest.param(None, False, id="no table at all"),
    ],
)
def test_a_damaged_pool_counts_as_none_and_is_decoded_anew(tmp_path, video, content, is_there):
    root = tmp_path / "frames"
    DiskFrameStore(root).write(video, SPEC, fill_with(3))
    table = root / video.content_hash / SPEC.key / "pool.json"
    table.unlink() if content is None else table.write_text(content)
    store = DiskFrameStore(root)

    assert (store.find(video, SPEC) is not None) is is_there
    written = store.write(video, SPEC, fill_with(5))
    assert DiskFrameStore(root).find(video, SPEC) == written
    assert store.jpeg(written, 4).startswith(b"\xff\xd8")


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def bent(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def folder_of(root, name="ab"):
    return root / (name * 32) / SPEC.key


def exchanged(path):
    """Another film's pool, whole, in the place of this one's."""
    root = path.parents[2]
    DiskFrameStore(root).write(Video("cd" * 32, root), SPEC, fill_with(4))
    shutil.rmtree(path.parent)
    shutil.copytree(folder_of(root, "cd"), path.parent)


@pytest.mark.parametrize("harm", [cut, exchanged, pathlib.Path.unlink], ids=["cut", "of another film", "gone"])
def test_a_pool_whose_pictures_are_not_there_or_of_another_film_counts_as_none(tmp_path, video, harm):
    DiskFrameStore(tmp_path).write(video, SPEC, fill_with(3))
    harm(folder_of(tmp_path) / "frames.bin")
    store = DiskFrameStore(tmp_path)

    assert store.find(video, SPEC) is None
    assert store.write(video, SPEC, fill_with(3)) == store.find(video, SPEC)


def test_a_picture_that_is_not_as_it_was_written_is_never_shown_and_the_pool_is_made_anew(tmp_path, video):
    store = DiskFrameStore(tmp_path)
    pool = store.write(video, SPEC, fill_with(1))
    right = store.jpeg(pool, 0)
    bent(folder_of(tmp_path) / "frames.bin")

    with pytest.raises(UnavailableError, match="are damaged; ask again"):
        store.jpeg(pool, 0)
    assert store.find(video, SPEC) is None
    assert store.jpeg(store.write(video, SPEC, fill_with(1)), 0) == right


def test_who_still_holds_a_damaged_pool_is_told_the_same(tmp_path, video):
    store = DiskFrameStore(tmp_path)
    pool = store.write(video, SPEC, fill_with(1))
    bent(folder_of(tmp_path) / "frames.bin")

    for _ in range(2):
        with pytest.raises(UnavailableError, match="ask again"):
            store.jpeg(pool, 0)


@pytest.mark.parametrize("harm", [cut, bent, exchanged], ids=["cut", "bent", "of another film"])
def test_what_comes_from_elsewhere_and_is_not_as_it_was_written_is_not_adopted(tmp_path, video, harm):
    DiskFrameStore(tmp_path / "there").write(video, SPEC, fill_with(3))
    there = folder_of(tmp_path / "there")
    harm(there / "frames.bin")
    store = DiskFrameStore(tmp_path / "here")

    adopted = store.adopt(
        video, SPEC, [FRAMES, TABLE], lambda name, target, grow: target.write_bytes((there / name).read_bytes())
    )

    assert adopted is None
    assert store.find(video, SPEC) is None


def test_a_table_of_a_version_that_looked_for_less_is_made_anew(tmp_path, video):
    written = DiskFrameStore(tmp_path / "frames").write(video, SPEC, fill_with(3))
    table = tmp_path / "frames" / video.content_hash / SPEC.key / "pool.json"
    known = json.loads(table.read_text())
    del known["keyFrames"]
    table.write_text(json.dumps(known))
    store = DiskFrameStore(tmp_path / "frames")

    assert store.find(video, SPEC) is None
    assert store.write(video, SPEC, fill_with(3)) == written == store.find(video, SPEC)


def test_two_that_write_at_once_leave_one_whole_pool(tmp_path, video):
    """Each fills a folder of its own; whoever is second finds the first's and drops its own."""
    gate = threading.Barrier(4)

    def write(_):
        def fill(writer):
            gate.wait()
            return fill_with(6)(writer)

        return DiskFrameStore(tmp_path / "frames").write(video, SPEC, fill)

    with ThreadPoolExecutor(4) as threads:
        written = set(threads.map(write, range(4)))

    assert written == {DiskFrameStore(tmp_path / "frames").find(video, SPEC)}
    assert [path.name for path in (tmp_path / "frames" / video.content_hash).iterdir()] == [SPEC.key]


def test_a_place_where_no_folder_can_be_made_is_an_error_of_the_system(tmp_path, video):
    (tmp_path / "frames").write_text("a file stands here")

    with pytest.raises(OSError, match="frames"):
        DiskFrameStore(tmp_path / "frames").write(video, SPEC, fill_with(1))
    assert DiskFrameStore(tmp_path / "frames").find(video, SPEC) is None


def test_every_frame_is_read_back_as_itself(tmp_path, video):
    store = DiskFrameStore(tmp_path / "frames")
    pool = store.write(video, SPEC, fill_with(20))
    shades = [np.asarray(Image.open(io.BytesIO(store.jpeg(pool, index)))).mean() for index in range(20)]

    assert shades == pytest.approx([number * 10 for number in range(20)], abs=2)


SLIDES = [40] * 30 + [200] + [90] * 20 + [40] * 10
"""Shades of a recording of slides, one of which comes twice."""


def slides(writer):
    for number, shade in enumerate(SLIDES):
        writer.add(Frame(number, np.full((32, 48, 3), shade, np.uint8)))
    return writer.commit(Timeline(Fraction(1), len(SLIDES)), (Shot(0, len(SLIDES)),))


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_a_picture_that_is_held_is_stored_once_and_found_at_each_of_its_instants(tmp_path, video, kind):
    store = DiskFrameStore(tmp_path / "frames") if kind == "disk" else MemoryFrameStore()
    pool = store.write(video, SPEC, slides)
    jpegs = [store.jpeg(pool, index) for index in range(len(pool))]
    shades = [np.asarray(Image.open(io.BytesIO(jpeg))).mean() for jpeg in jpegs]
    four = sum(len(jpegs[index]) for index in (0, 30, 31, 51))

    assert shades == pytest.approx(SLIDES, abs=2)
    stored = sum(file.stat().st_size for file in tmp_path.rglob("frames.bin")) if kind == "disk" else store.bytes
    assert stored == four < sum(map(len, jpegs)) / 10
