"""FOCUS scores few frames, counts what it scores, and looks at the whole video."""

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.errors import AllowanceSpentError
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.contract import Allowance
from pitwall_runtime.samplers.offline import offline_context
from pitwall_runtime.samplers.relevance.focus import Arms, FocusParameters, choose, clips

PARAMETERS = FocusParameters()


def edges(count, size=16):
    return np.arange(count + 1) * size


def watched(curve):
    """A scorer over a curve, and the list of what was scored."""
    asked = []

    def score(frames):
        asked.extend(frames.tolist())
        return curve[frames]

    return score, asked


def test_a_clip_in_four_is_looked_at_twice_and_no_frame_is_scored_twice():
    score, asked = watched(np.random.default_rng(1).uniform(size=225 * 16).astype(np.float32))
    frames, scored = choose(score, edges(225), 64, PARAMETERS, np.random.default_rng(0))

    assert len(frames) == 64
    assert scored == len(asked) == len(set(asked)) == 225 * 3 + 57 * 13  # three of all, the other 13 of the promising
    assert scored <= PARAMETERS.most_scored(225)


def test_the_middle_of_every_clip_is_scored_first():
    score, asked = watched(np.zeros(160, np.float32))
    choose(score, edges(10), 8, PARAMETERS, np.random.default_rng(0))

    assert {clip * 16 + 7 for clip in range(10)} <= set(asked[:30])


def test_scores_of_the_second_look_count_for_the_choice_of_clips():
    # The first look says little of clip 2: its middle is higher than all of clip 6, its other frames are dull.
    curve = np.zeros(8 * 16, np.float32)
    curve[6 * 16 : 7 * 16] = 0.6
    curve[2 * 16 + 7] = 1.0
    arms = Arms(edges(8), np.full(128, np.nan), np.random.default_rng(0))
    arms.look(np.array([2 * 16 + 7, 6 * 16 + 7]), lambda frames: curve[frames])
    after_one_look = arms.statistics()[1]
    arms.look(np.arange(2 * 16, 3 * 16), lambda frames: curve[frames])
    arms.look(np.arange(6 * 16, 7 * 16), lambda frames: curve[frames])
    after_two = arms.statistics()[1]

    assert after_one_look[2] > after_one_look[6]
    assert after_two[6] == pytest.approx(0.6)
    assert after_two[2] == pytest.approx(1 / 16)


@pytest.mark.parametrize("count", [1000, 989, 607])
def test_the_last_frames_can_be_chosen(count):
    curve = np.zeros(count)
    curve[-9:] = 1.0
    clips_of_16, seen_as_published = -(-count // 16), count // -(-count // 16) * -(-count // 16)
    context = offline_context(curve, 32, seed=3)

    assert clips_of_16 >= 8
    assert seen_as_published < count  # whole clips of one length leave a rest
    assert max(build(SamplerSpec(name="focus")).choose(context).indices) >= seen_as_published


@pytest.mark.parametrize(("seconds", "frames", "count"), [(3600, 3600, 225), (60, 60, 8), (5, 5, 5)])
def test_clips_of_sixteen_seconds_and_at_least_eight(seconds, frames, count):
    assert clips(seconds, frames, PARAMETERS, None) == count


def test_fewer_clips_where_fewer_frames_may_be_scored():
    scores = np.random.default_rng(4).uniform(size=3600)
    context = offline_context(scores, 32, allowance=Allowance(scored_frames=400))
    chosen = build(SamplerSpec(name="focus")).choose(context)

    assert len(chosen) == 32
    assert chosen.diagnostics["scored_frames"] <= 400
    with pytest.raises(AllowanceSpentError):
        context.score(np.arange(3600))
