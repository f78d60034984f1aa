"""Question vectors are shared on disk, whole or not at all, without the question's words."""

import numpy as np

from pitwall_crds.variant.variant import EncoderSpec
from pitwall_runtime.stages.encode.colours import Colours
from pitwall_runtime.stages.encode.pool import EncoderPool
from pitwall_runtime.stages.encode.questions import QuestionStore
from pitwall_runtime.stores.files.eviction import CacheLimits, EntryKind, Quota, disk_bytes


def test_what_one_process_encoded_another_does_not_encode_again(tmp_path):
    busy = []
    first, second = (
        EncoderPool(
            Colours(EncoderSpec(name="colours")),
            8,
            lambda seconds, _: busy.append(seconds),
            QuestionStore.opened(tmp_path),
        )
        for _ in range(2)
    )
    vector = first.text("where is red")
    assert len(busy) == 1
    assert np.array_equal(second.text("where is red"), vector)
    assert len(busy) == 1
    assert not np.array_equal(second.text("where is blue"), vector)


def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path):
    store = QuestionStore.opened(tmp_path)
    store.put("q", np.ones(3, np.float32))
    (file,) = tmp_path.glob("*.npy")
    file.write_bytes(file.read_bytes()[:20])
    assert store.get("q") is None
    store.put("q", np.ones(3, np.float32))
    assert np.array_equal(store.get("q"), np.ones(3))


def test_the_words_are_not_stored(tmp_path):
    QuestionStore.opened(tmp_path).put("my secret question", np.ones(3, np.float32))
    assert all("secret" not in path.name and b"secret" not in path.read_bytes() for path in tmp_path.iterdir())


def test_however_many_questions_are_asked_they_take_a_small_part_of_the_cache(tmp_path):
    """Who invents questions fills no disk, and evicts no video: each text once left a file for ever."""
    quota, film = Quota(tmp_path, CacheLimits(20_000_000)), tmp_path / EntryKind.DOWNLOADS / ("ab" * 32)
    film.parent.mkdir()
    film.write_bytes(bytes(15_000_000))
    store = QuestionStore.opened(tmp_path / EntryKind.QUESTIONS / "e", quota.grow)
    for number in range(2000):
        store.put(f"question {number}", np.full(512, number, np.float32))

    assert film.exists()
    assert disk_bytes(store.folder) <= 20_000_000 * 3 / 100
    assert np.array_equal(store.get("question 1999"), np.full(512, 1999))
    assert store.get("question 0") is None


def test_a_question_that_is_asked_again_stays_while_others_go(tmp_path):
    quota = Quota(tmp_path, CacheLimits(20_000_000))
    store = QuestionStore.opened(tmp_path / EntryKind.QUESTIONS / "e", quota.grow)
    for number in range(500):
        store.put(f"question {number}", np.full(512, number, np.float32))
        assert store.get("question 0") is not None


def test_a_cache_without_room_costs_speed_and_no_answer(tmp_path):
    (tmp_path / "filler").write_bytes(bytes(1_000_000))
    store = QuestionStore.opened(tmp_path / EntryKind.QUESTIONS / "e", Quota(tmp_path, CacheLimits(100_000)).grow)
    store.put("q", np.ones(3, np.float32))
    assert store.get("q") is None
