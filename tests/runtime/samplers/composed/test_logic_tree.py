"""The logic tree takes a question apart by a model or by its parts, and uses the senses that exist."""

import numpy as np

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.composed.logic_tree import leaf_curve
from pitwall_runtime.samplers.composed.satisfaction import Leaf, Sense
from pitwall_runtime.samplers.contract import Caption, Detection, Signals
from pitwall_runtime.samplers.offline import ArrayFeatures, offline_context

COUNT = 600
NOISE = np.random.default_rng(0).normal(0, 0.02, COUNT)


def seen(*starts):
    curve = NOISE.copy()
    for start in starts:
        curve[start : start + 12] += 0.4
    return curve


QUERIES = {"a dog": seen(60, 400), "a ball": seen(200, 410)}


class DecomposingModel:
    def __init__(self, words):
        self.words, self.prompts = words, []

    async def ask(self, prompt, indices):
        self.prompts.append((prompt, tuple(indices)))
        if not self.words:
            raise UnavailableError("away")
        return self.words


def choose(budget=2, parameters=None, **context):
    features = ArrayFeatures(NOISE, queries=QUERIES)
    made = offline_context(NOISE, budget, features=features, question="?", **context)
    return build(SamplerSpec(name="logic-tree", parameters=parameters or {})).choose(made)


def hits(chosen, *starts):
    return {start for start in starts if any(start <= frame < start + 15 for frame in chosen.indices)}


def test_a_model_takes_the_question_apart_once_and_by_words():
    model = DecomposingModel('{"all": [{"see": "a dog"}, {"see": "a ball"}]}')
    chosen = choose(budget=1, model=model)

    assert hits(chosen, 60, 200, 400) == {400}
    assert chosen.diagnostics["tree"] == "model"
    assert [frames for _, frames in model.prompts] == [()]


def test_without_a_model_the_parts_are_joined_as_the_variant_says():
    parts = ("a dog", "a ball")

    assert hits(choose(budget=3, sub_questions=parts), 60, 200, 400) == {60, 200, 400}
    assert hits(choose(budget=1, sub_questions=parts, parameters={"join": "all"}), 60, 200, 400) == {400}
    assert hits(choose(budget=2, sub_questions=parts, parameters={"join": "then"}), 60, 200, 400) >= {60}


def test_why_the_model_did_not_help_is_told():
    assert choose(model=DecomposingModel("")).diagnostics["tree"] == "question; UnavailableError"
    assert choose(model=DecomposingModel("no idea")).diagnostics["tree"] == "question; the model sent no tree"
    assert choose().diagnostics["tree"] == "question; NoModelError"


def test_what_is_said_and_found_counts_where_somebody_listened_and_looked():
    signals = Signals(
        subtitles=(Caption(10, 13, "The dog barks loudly."), Caption(50, 52, "a dog"), Caption(-5, 1e9, "none of it")),
        detections=(Detection(30, "dog", 0.75), Detection(31, "cat", 0.9), Detection(9999, "dog", 1.0)),
    )
    context = offline_context(NOISE, 2, signals=signals)
    said, found = (leaf_curve(Leaf(sense, "dog barks"), context) for sense in (Sense.HEAR, Sense.FIND))

    assert said[[9, 10, 12, 13, 50, 51, 52]].tolist() == [0, 1, 1, 0, 0.5, 0.5, 0]
    assert found[[30, 31]].tolist() == [0.75, 0]


def test_a_sense_that_nobody_has_is_replaced_by_looking():
    context = offline_context(NOISE, 2, features=ArrayFeatures(NOISE, queries=QUERIES))

    looked = leaf_curve(Leaf(Sense.SEE, "a dog"), context)
    assert leaf_curve(Leaf(Sense.HEAR, "a dog"), context).tolist() == looked.tolist()
    context.signals = Signals(subtitles=())
    assert leaf_curve(Leaf(Sense.HEAR, "a dog"), context).tolist() == looked.tolist(), "nobody wrote down what is said"
    assert looked[65] > 0.8 > 0.5 > looked[300]
