"""A variant whose sampler cannot do without what the variant does not provide is refused before it starts."""

import pytest

from pitwall_crds.variant import builtin
from pitwall_crds.variant.variant import SamplerEntry, SamplerVariant
from pitwall_operator.decision.permission.runnable import BUILT_IN, image_problems

OPENAI = {"engine": "openai", "endpointUrl": "http://llm/v1"}


def problems(needs, **spec):
    entry = SamplerEntry(name="paper", contract=1, stability="alpha", uses=needs, needs=needs)
    whole = {"sampler": {"name": "paper"}, "runtime": {"image": "registry.example/paper@sha256:0"}, **spec}
    variant = SamplerVariant.model_validate({"metadata": {"name": "paper-v1"}, "spec": whole})
    return list(image_problems(variant, [entry], BUILT_IN))


@pytest.mark.parametrize(
    ("needs", "spec", "words"),
    [
        ((), {}, []),
        (("scores", "embeddings", "key-frames", "subtitles"), {}, []),
        (("model",), {"answer": OPENAI}, []),
        (("model",), {}, ["sampler 'paper' needs a model that sees frames; set spec.answer.engine to openai"]),
        (("model",), {"answer": {"engine": "local"}}, ["sampler 'paper' needs a model that sees frames"]),
        (("detections", "scores"), {"answer": OPENAI}, ["sampler 'paper' needs detections, which this version's"]),
        (("audio", "detections"), {}, ["needs audio", "needs detections"]),
    ],
)
def test_each_need_that_is_not_met_is_told_with_what_to_do(needs, spec, words):
    found = problems(needs, **spec)

    assert len(found) == len(words)
    assert all(word in problem for word, problem in zip(words, found, strict=True))


def test_no_built_in_sampler_needs_what_some_variant_lacks():
    assert all(set(entry["needs"]) <= set(entry["uses"]) for entry in builtin.CATALOGUE)
    assert not any(list(builtin.unmet_needs("x", entry["needs"], has_model=False)) for entry in builtin.CATALOGUE)
