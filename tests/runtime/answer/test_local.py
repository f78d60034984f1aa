"""The packaged language model words an answer about what the moments show."""

import pytest

from pitwall_crds.variant.variant import AnswerSpec
from pitwall_runtime.answer.catalogue import build
from pitwall_runtime.answer.moments import group
from pitwall_runtime.answer.port import Brief, Evidence
from pitwall_runtime.ask.__main__ import default_cache_dir

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.filterwarnings("ignore")]


def test_smollm_answers_in_words_within_its_tokens():
    evidence = [Evidence(0, 316.0, 317.0, 0, 0.6, ("bow", "arrow")), Evidence(9, 445.0, 446.0, 9, 0.4, ("fence",))]
    engine = build(AnswerSpec(engine="local", max_tokens=40), default_cache_dir())
    answer = engine.answer(Brief("When is there a bow?", evidence, group(evidence), list, [16] * len(evidence)))
    assert 0 < answer.completion_tokens <= 40
    assert answer.text.endswith(" [5:16–5:17 (bow, arrow)]")
    assert len(answer.text.split()) > 5
    assert answer.moments[0].pts_seconds == 316.0
    again = engine.answer(Brief("When is there a bow?", evidence, group(evidence), list, [16] * len(evidence)))
    assert again.text == answer.text
