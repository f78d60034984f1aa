"""What a sampler is given: finite scores, features on demand, allowances that hold, the same chance again."""

import asyncio

import numpy as np
import pytest

from pitwall_runtime.errors import AllowanceSpentError, NoModelError
from pitwall_runtime.media import Selection, SelectionError
from pitwall_runtime.samplers.contract import Allowance
from pitwall_runtime.samplers.offline import ArrayFeatures, offline_context

INFINITY = float("inf")


class Raw:
    """Features as a broken encoder gives them."""

    def __init__(self, scores, rows=None):
        self._scores, self._rows = np.array(scores, np.float32), rows

    def scores(self, indices, query):
        return self._scores if indices is None else self._scores[list(indices)]

    def embeddings(self, indices):
        return self._rows


class Parrot:
    """A model that repeats what it was asked."""

    async def ask(self, prompt, indices):
        return f"{prompt} {list(indices)}"


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        pytest.param([0.5, np.nan, -0.5], [0.5, -0.5, -0.5], id="a hole counts as the least"),
        pytest.param([0.5, INFINITY, -INFINITY, 0.25], [0.5, 0.5, 0.25, 0.25], id="infinities are the extremes"),
        pytest.param([np.nan, np.nan], [0, 0], id="nothing but holes"),
        pytest.param([0.25], [0.25], id="one"),
    ],
)
def test_scores_are_finite(raw, seen):
    assert offline_context(raw, 1, features=Raw(raw)).scores().tolist() == seen


def test_embeddings_are_finite():
    rows = np.array([[1, 0], [np.nan, INFINITY]], np.float32)

    assert offline_context([0, 0], 1, features=Raw([0, 0], rows)).embeddings().tolist() == [[1, 0], [0, 0]]


def test_frames_are_scored_one_by_one_and_by_other_texts():
    features = ArrayFeatures([0.1, 0.2, 0.3], queries={"a bow": np.array([0.9, 0.8, 0.7], np.float32)})
    context = offline_context([0, 0, 0], 1, features=features)

    assert context.score([2, 0]).tolist() == pytest.approx([0.3, 0.1])
    assert context.score(np.array([1]), "a bow").tolist() == pytest.approx([0.8])


def test_a_frame_counts_once_against_the_allowance_and_more_is_refused():
    context = offline_context(np.arange(9), 2, allowance=Allowance(scored_frames=3))
    context.score([1, 2])
    context.score([2, 3])
    with pytest.raises(AllowanceSpentError, match="4 frames would be scored, 3 are allowed"):
        context.score([4])

    assert context.score([1, 3]).tolist() == [1, 3]


def test_the_whole_pool_is_more_than_a_small_allowance():
    with pytest.raises(AllowanceSpentError):
        offline_context(np.arange(9), 2, allowance=Allowance(scored_frames=3)).scores()


def test_calls_of_the_model_are_counted():
    context = offline_context([0, 0], 1, model=Parrot(), allowance=Allowance(model_calls=1))

    assert asyncio.run(context.ask("which?", [1])) == "which? [1]"
    with pytest.raises(AllowanceSpentError, match="all 1 calls"):
        asyncio.run(context.ask("again?", [1]))


def test_without_a_model_there_is_nobody_to_ask():
    with pytest.raises(NoModelError, match=r"set answer\.engine to openai"):
        asyncio.run(offline_context([0], 1).ask("who?"))


def test_the_encoders_time_is_not_the_samplers_own():
    class SlowFeatures(Raw):
        def scores(self, indices, query):
            context.meter.started -= 5  # as if five seconds went by in here
            context.meter.feature_seconds += 5
            return super().scores(indices, query)

    context = offline_context([0, 0], 1, features=SlowFeatures([0, 0]), allowance=Allowance(milliseconds=4000))
    context.scores()

    assert 0 < context.milliseconds_left <= 4000


def test_the_same_question_draws_the_same_numbers():
    one, same, other = (offline_context([0], 1, seed=seed).random().random(4).tolist() for seed in (7, 7, 8))

    assert one == same != other


def test_a_video_ends_when_its_last_frame_does():
    context = offline_context([0, 0, 0], 1, pts_seconds=np.array([0.0, 2.0, 5.0]))

    assert context.durations_seconds.tolist() == [2, 3, 3]
    assert context.end_seconds == 8


def test_a_selection_may_be_given_in_any_order_with_reasons():
    selection = Selection.of(np.array([5, 2]), threshold=0.5)

    assert (selection.indices, dict(selection.diagnostics)) == ((2, 5), {"threshold": 0.5})


@pytest.mark.parametrize("chosen", [[1.0, 2.7], ["3"], np.array([1.5])], ids=str)
def test_frames_that_are_no_integers_are_refused_and_not_rounded(chosen):
    with pytest.raises(SelectionError, match="frames are a tuple of integers"):
        Selection.of(chosen)


@pytest.mark.parametrize("tiers", [(0,), (0, -1), (0, 9)])
def test_tiers_are_one_per_frame_and_no_side_is_halved_to_nothing(tiers):
    with pytest.raises(ValueError, match=r"tiers are none or one of 0\.\.4 per frame"):
        Selection((1, 2), tiers)
