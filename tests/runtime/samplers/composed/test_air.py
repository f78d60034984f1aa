"""A.I.R. with models that see, lie, fall silent or run out: what it asks, and that it always chooses."""

import re

import numpy as np
import pytest
from harness.effort import effort

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.composed.air import ratings
from pitwall_runtime.samplers.contract import Allowance
from pitwall_runtime.samplers.offline import offline_context

COUNT, TRUE, DECOY = 900, range(600, 630), range(200, 230)


def misleading():
    """Relevance that likes the decoy better than the evidence."""
    scores = np.random.default_rng(1).normal(0, 0.02, COUNT)
    scores[DECOY.start : DECOY.stop] += 0.5
    scores[TRUE.start : TRUE.stop] += 0.4
    return scores


class SeeingModel:
    """A model that likes the evidence alone, for so many calls."""

    def __init__(self, calls=99):
        self.asked, self.calls = [], calls

    async def ask(self, prompt, indices):
        self.asked.append(tuple(indices))
        if len(self.asked) > self.calls:
            raise UnavailableError("away")
        return "\n".join(f"{n}: {5 if frame in TRUE else 1}" for n, frame in enumerate(indices, 1))


class MumblingModel:
    def __init__(self, words):
        self.words, self.asked = words, []

    async def ask(self, prompt, indices):
        self.asked.append((prompt, tuple(indices)))
        return self.words


def choose(model, budget=8, parameters=None, **context):
    made = offline_context(misleading(), budget, model=model, question="When?", **context)
    return build(SamplerSpec(name="air", parameters=parameters or {})).choose(made)


def share(chosen):
    return sum(frame in TRUE for frame in chosen.indices) / len(chosen)


def test_a_model_that_sees_finds_what_relevance_misses():
    model = SeeingModel()
    chosen = choose(model)

    assert share(chosen) == 1.0
    assert chosen.diagnostics["ended"] == "over"
    assert max(map(len, model.asked)) <= 12
    assert len(model.asked) <= 6
    shown = [frame for frames in model.asked for frame in frames]
    assert len(shown) == len(set(shown))
    assert share(choose(None)) <= 0.5


def test_the_prompt_numbers_the_frames_and_tells_their_times():
    model = MumblingModel("nothing")
    choose(model)
    prompt, frames = model.asked[0]

    assert "When?" in prompt
    assert [int(n) for n in re.findall(r"(\d+) at \d\d:\d\d", prompt)] == list(range(1, len(frames) + 1))
    assert f"1 at {frames[0] // 60:02d}:{frames[0] % 60:02d}" in prompt


@pytest.mark.parametrize(
    ("model", "context", "ended"),
    [
        pytest.param(None, {}, "NoModelError", id="no model"),
        pytest.param(SeeingModel(calls=1), {}, "UnavailableError", id="it goes away"),
        pytest.param(SeeingModel(), {"allowance": Allowance(model_calls=1)}, "AllowanceSpentError", id="one call"),
        pytest.param(SeeingModel(), {"allowance": Allowance(milliseconds=0)}, "AllowanceSpentError", id="no time"),
        pytest.param(MumblingModel("No."), {}, "over", id="it never rates"),
        pytest.param(MumblingModel("1: 5\n99: 5\n0: 5\n2: 9"), {}, "over", id="it rates frames that it was not shown"),
    ],
)
def test_however_it_ends_the_whole_budget_is_chosen(model, context, ended):
    chosen = choose(model, budget=20, **context)

    assert len(chosen) == 20
    assert chosen.diagnostics["ended"] == ended


def test_what_a_few_calls_found_is_kept():
    model = SeeingModel(calls=3)
    chosen = choose(model)
    liked = {frame for frames in model.asked[:3] for frame in frames if frame in TRUE}

    assert liked
    assert liked <= set(chosen.indices)


def test_a_model_that_never_rates_is_asked_twice():
    model = MumblingModel("I see nothing.")
    choose(model)

    assert len(model.asked) == 2


def test_frames_that_it_does_not_like_are_taken_last():
    class DislikingModel(SeeingModel):
        async def ask(self, prompt, indices):
            self.asked.append(tuple(indices))
            return "\n".join(f"{n}: 1" for n in range(1, len(indices) + 1))

    model = DislikingModel()
    chosen = choose(model)

    assert not {frame for frames in model.asked for frame in frames} & set(chosen.indices)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("1: 5\n2: 3", {1: 5, 2: 3}),
        ("1. 4\n2) 2\n3 - 1", {1: 4, 2: 2, 3: 1}),
        ("frame 2: 5, because it rains", {2: 5}),
        ("4: 5\n1: 0\n2: 17", {}),
    ],
)
def test_ratings(reply, expected):
    assert ratings(reply, 3) == expected


@pytest.mark.parametrize("unit", ["1", " ", "-", "1 ", "1-", "1 -"])
def test_a_long_reply_of_nothing_is_read_at_once(unit):
    with effort() as spent:
        assert ratings("2: 5\n" + unit * (200_000 // len(unit)), 3)[2] == 5
    assert spent.megabytes < 20
