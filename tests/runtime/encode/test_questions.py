"""Question vectors are shared on disk, whole or not at all, without the question's words."""

import numpy as np

from pitwall_crds.variant import EncoderSpec
from pitwall_runtime.encode.colours import Colours
from pitwall_runtime.encode.pool import EncoderPool
from pitwall_runtime.encode.questions import QuestionStore


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
