"""The encoder pool and the question store, without any model: order, batches, busy time, damaged folders."""

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from pitwall_crds.variant.variant import EncoderSpec
from pitwall_runtime.stages.encode import questions
from pitwall_runtime.stages.encode.colours import Colours
from pitwall_runtime.stages.encode.pool import ENCODER_WORKERS, EncoderPool
from pitwall_runtime.stages.encode.questions import QuestionStore

PALETTE = ["red", "green", "blue", "yellow", "black", "white"]


def jpeg(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def encoder() -> Colours:
    return Colours(EncoderSpec(name="colours"))


@pytest.mark.parametrize("size", [1, 2, 4, 6, 7, 100])
def test_frames_come_back_in_order_whatever_the_batches(encoder, size):
    wanted = [PALETTE[number % 6] for number in range(13)]
    found = EncoderPool(encoder, size, lambda *_: None).images(
        [jpeg(name if name != "green" else "lime") for name in wanted]
    )

    assert [encoder.label_names[row[0]] for row in found.labels] == wanted
    assert found.vectors.shape == (13, 5)
    assert found.grids.shape == (13, 2, 2, 5)


def test_every_batch_is_told_with_its_arm_and_its_share_of_the_pool(encoder):
    told = []
    pool = EncoderPool(encoder, 4, lambda seconds, arm: told.append((seconds, arm)))
    pool.images([jpeg("red")] * 9, "candidate")
    pool.text("red", "control")

    assert [arm for _, arm in told] == ["candidate"] * 3 + ["control"]
    assert all(0 <= seconds < 10 / ENCODER_WORKERS for seconds, _ in told)
    assert pool.frames_encoded == 9


def test_the_same_question_is_encoded_once_without_a_store_too(encoder):
    told = []
    pool = EncoderPool(encoder, 4, lambda *busy: told.append(busy))
    first = pool.text("red")

    assert np.array_equal(pool.text("red"), first)
    assert len(told) == 1


def test_a_frame_that_is_no_picture_ends_the_question_and_not_the_pool(encoder):
    pool = EncoderPool(encoder, 2, lambda *_: None)
    with pytest.raises(OSError, match="cannot identify image file"):
        pool.images([jpeg("red"), b"not a picture", jpeg("blue")])

    assert len(pool.images([jpeg("red")]).vectors) == 1


def test_a_picture_in_gray_is_read_as_colours(encoder):
    buffer = io.BytesIO()
    Image.new("L", (16, 16), 255).save(buffer, "JPEG")

    assert EncoderPool(encoder, 2, lambda *_: None).images([buffer.getvalue()]).labels[0] == PALETTE.index("white")


def test_a_store_that_cannot_be_written_costs_speed_and_no_answer(encoder, tmp_path):
    store = QuestionStore.opened(tmp_path / "q")
    (tmp_path / "q").rmdir()
    (tmp_path / "q").write_text("a file stands here now")
    pool = EncoderPool(encoder, 2, lambda *_: None, store)

    assert pool.text("red").shape == (5,)
    assert store.get("red") is None


def test_many_writers_of_one_question_leave_one_whole_vector(tmp_path):
    store, gate = QuestionStore.opened(tmp_path), threading.Barrier(8)

    def put(number: int) -> None:
        gate.wait()
        store.put("q", np.full(4096, number, np.float32))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(8)))

    assert len(set(store.get("q").tolist())) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"words", b"\x80\x04N."], ids=["empty", "cut", "text", "pickle"]
)
def test_a_file_that_is_no_vector_counts_as_none(tmp_path, content):
    store = QuestionStore.opened(tmp_path)
    store.put("q", np.ones(3, np.float32))
    next(tmp_path.glob("*.npy")).write_bytes(content)

    assert store.get("q") is None


def test_the_oldest_half_goes_when_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "LIMIT", 10)
    store = QuestionStore.opened(tmp_path)
    for number in range(11):
        store.put(f"q{number}", np.full(2, number, np.float32))
        os.utime(store._path(f"q{number}"), (number, number))
    again = QuestionStore.opened(tmp_path)

    assert [again.get(f"q{number}") is not None for number in range(11)] == [False] * 5 + [True] * 6
