"""The router sends short videos and questions about the whole to uniform."""

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.composed.router import Local, is_global
from pitwall_runtime.samplers.offline import offline_context

SCORES = np.random.default_rng(0).normal(0, 0.02, 600)
SCORES[400:410] += 0.5


def choose(name="router", count=600, question="When does it rain?", **parameters):
    context = offline_context(SCORES[:count], 8, question=question)
    return build(SamplerSpec(name=name, parameters=parameters)).choose(context)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is this video mainly about?", True),
        ("What is the film about?", True),
        ("Summarize the video.", True),
        ("What is the main topic of the lecture?", True),
        ("Which genre does this movie belong to?", True),
        ("What does the man say about the dog?", False),
        ("When does the squirrel draw its bow?", False),
        ("What colour is the car in the video?", False),
        ("", False),
        ("この動画は何についてですか", False),
    ],
)
def test_questions_about_the_whole(question, expected):
    assert is_global(question) is expected


@pytest.mark.parametrize(
    ("count", "question", "route"),
    [
        (60, "When does it rain?", "short"),
        (600, "What is this video about?", "global"),
        (600, "When does it rain?", "local: quota"),
    ],
)
def test_the_way_is_told(count, question, route):
    chosen = choose(count=count, question=question)

    assert chosen.diagnostics["route"] == route
    assert (chosen.indices == choose("uniform", count).indices) is not route.startswith("local")


@pytest.mark.parametrize("local", list(Local))
def test_a_part_is_looked_for_by_whom_the_variant_names(local):
    assert choose(local=str(local)).indices == choose(str(local)).indices
