"""Several descriptions, each frame by its best one."""

import numpy as np
import pytest
from harness.effort import effort

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.plugins.suite.situations import CannedModel
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.composed.expansion import lines
from pitwall_runtime.samplers.contract import Allowance
from pitwall_runtime.samplers.offline import ArrayFeatures, offline_context

NOISE = np.random.default_rng(0).normal(0, 0.02, 600)


def seen(start):
    curve = NOISE.copy()
    curve[start : start + 12] += 0.4
    return curve


QUERIES = {"a dog": seen(100), "a ball": seen(300), "rain": seen(500)}


def choose(budget=3, parameters=None, **context):
    made = offline_context(NOISE, budget, features=ArrayFeatures(NOISE, queries=QUERIES), question="?", **context)
    return build(SamplerSpec(name="expansion", parameters=parameters or {})).choose(made)


def found(chosen):
    return {start for start in (100, 300, 500) if any(start <= frame < start + 12 for frame in chosen.indices)}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("1. a dog\n2) a ball\n- rain", ["a dog", "a ball", "rain"]),
        ('"a dog"\n\n"a dog"\n* “a ball”', ["a dog", "a ball"]),
        ("\n --- \n", []),
    ],
)
def test_lines_of_a_reply(reply, expected):
    assert lines(reply) == expected


def test_a_line_of_blanks_is_read_at_once():
    with effort() as spent:
        assert lines("a" + " " * 200_000 + "b\n- rain" + " " * 200_000)[1] == "rain"
    assert spent.megabytes < 20


def test_each_description_finds_its_moment():
    assert found(choose(model=CannedModel("1. a dog\n2. a ball\n3. rain"))) == {100, 300, 500}
    assert found(choose(sub_questions=("a dog", "rain"), budget=2)) == {100, 500}


def test_at_most_so_many_and_as_far_as_the_allowance_goes():
    assert choose(model=CannedModel("a dog\na ball\nrain"), parameters={"queries": 2}).diagnostics["queries"] == 3
    short = choose(model=CannedModel("a dog\na ball"), allowance=Allowance(scored_frames=1200))

    assert short.diagnostics["queries"] == 2
    assert short.diagnostics["source"] == "model, allowance spent"
