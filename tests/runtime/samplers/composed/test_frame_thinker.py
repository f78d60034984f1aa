"""FrameThinker's protocol with scripted models."""

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.contract import Allowance
from pitwall_runtime.samplers.offline import offline_context

SCORES = np.random.default_rng(1).normal(0, 0.02, 900)


class ScriptedModel:
    """Says one line after the other, the last one for ever."""

    def __init__(self, *said):
        self.said, self.asked = said, []

    async def ask(self, prompt, indices):
        self.asked.append((prompt, tuple(indices)))
        return self.said[min(len(self.asked), len(self.said)) - 1]


def choose(model, budget=8, **context):
    made = offline_context(SCORES, budget, model=model, question="When?", **context)
    return build(SamplerSpec(name="frame-thinker")).choose(made)


def act(action):
    return f"<think>Let me see.</think><action>{action}</action>"


def test_it_begins_with_evenly_spread_frames_and_follows_the_actions():
    model = ScriptedModel(
        act("choose frames between 300 and 399"), act("choose frames between 330 and 345"), act("output answer")
    )
    chosen = choose(model)
    looks = [frames for _, frames in model.asked]

    assert looks[0] == tuple(range(37, 900, 75))  # twelve of more than five minutes
    assert len(looks[1]) == len(looks[2]) == 8
    assert all(300 <= frame <= 399 for frame in looks[1])
    assert chosen.indices == looks[2]
    assert dict(chosen.diagnostics) == {"stretches": 2, "turns": 3, "ended": "over"}
    assert "You did: choose frames between 300 and 399." in model.asked[2][0]


def test_it_may_ask_for_a_frame_number():
    model = ScriptedModel(
        act("get frame number at time 05:10"), act("get frame number at time 0:05:10"), act("output answer")
    )
    choose(model)

    assert "get frame number at time 05:10: it is 310" in model.asked[1][0]
    assert model.asked[1][1] == ()
    assert "it is 310.\nYou did: get frame number at time 05:10: it is 310" in model.asked[2][0]


@pytest.mark.parametrize(
    "action",
    ["choose frames between 890 and 5000", "choose frames between 899 and 890", "Choose frame between 890 and 899"],
)
def test_bounds_are_those_of_the_video_whichever_way_round(action):
    chosen = choose(ScriptedModel(act(action), act("output answer")), budget=4)

    assert all(890 <= frame < 900 for frame in chosen.indices)


def test_the_last_of_several_actions_counts():
    both = act("choose frames between 0 and 9") + act("choose frames between 600 and 609")

    assert all(600 <= frame <= 609 for frame in choose(ScriptedModel(both, act("output answer")), budget=4).indices)


@pytest.mark.parametrize(
    ("model", "calls", "context"),
    [
        (ScriptedModel("hm"), 3, {}),
        (ScriptedModel(act("choose frames between 0 and 9")), 5, {}),
        (ScriptedModel("hm"), 1, {"allowance": Allowance(model_calls=1)}),
    ],
)
def test_nonsense_turns_and_calls_have_an_end_and_the_budget_is_full(model, calls, context):
    assert len(choose(model, budget=30, **context)) == 30
    assert len(model.asked) == calls
