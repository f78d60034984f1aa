"""An answer in which nothing is said is its arm's failure: it once was the quickest and cheapest of all."""

import pytest

from pitwall_crds.names import Metric
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.serve.settings import Rules

RUNS = {"sampler.variant": "run-1", "sampler.variant.shadow": "run-1"}
CANDIDATE = {"sampler_variant": "aks-v2", "arm": "candidate", "run": "run-1"}
SHADOW = {**CANDIDATE, "arm": "shadow"}
PATIENT = Rules(breaker=BreakerRule(failures=1_000))
EMPTY = pytest.mark.parametrize("content", ["", " \n", None, "\u200b"], ids=["empty", "blanks", "null", "zero width"])


@EMPTY
@pytest.mark.parametrize("stream", [False, True])
def test_stable_answers_in_place_of_a_candidate_that_says_nothing_and_it_is_its_error(pit, duel, content, stream):
    duel("candidate", runs=RUNS, rules=PATIENT, says={"content": content})

    answer = pit.ask("ann", stream=stream)

    assert (answer.status_code, answer.headers["x-pitwall-fallback"]) == (200, "empty")
    assert "at 12 s, says uniform-v1" in answer.text
    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 1
    assert pit.metric(Metric.EVIDENCE_QUERIES, outcome="ok") == 0
    assert pit.metric(Metric.EVIDENCE_VALUED, **CANDIDATE, quantity="tokens") == 0


def test_stable_that_says_something_at_the_second_try_has_failed_once(pit, duel):
    stable, _ = duel("stable", runs=RUNS)
    stable.empty_first = 1

    answer = pit.ask("ann")

    assert (answer.status_code, answer.headers["x-pitwall-fallback"]) == (200, "empty")
    assert pit.metric(Metric.EVIDENCE_QUERIES, arm="stable", outcome="error") == 1
    assert pit.metric(Metric.EVIDENCE_QUERIES) == 1


@pytest.mark.parametrize("arm", ["candidate", "stable"])
def test_a_question_to_which_stable_says_nothing_either_is_nobodys_evidence(pit, duel, arm):
    stable, _ = duel(arm, runs=RUNS, says={"content": ""})
    stable.says = {"content": None}

    answer = pit.ask("ann")

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "failed")
    counted = (Metric.EVIDENCE_QUERIES, Metric.EVIDENCE_WITHIN, Metric.EVIDENCE_BEYOND, Metric.EVIDENCE_ABANDONED)
    assert [pit.metric(metric) for metric in counted] == [0, 0, 0, 0]


@EMPTY
def test_a_copy_to_which_nothing_is_said_has_failed(pit, duel, content):
    duel("stable", runs=RUNS, shadow="aks-v2", says={"content": content})

    assert pit.ask("ann").status_code == 200

    pit.until(lambda: pit.metric(Metric.EVIDENCE_PAIRS, **SHADOW, outcome="error") == 1, "the pair")
    assert pit.metric(Metric.EVIDENCE_QUERIES, **SHADOW, outcome="error") == 1
    assert pit.metric(Metric.EVIDENCE_RATIOS) == 0


def test_a_candidate_that_says_nothing_opens_its_circuit_like_any_that_fails(pit, duel):
    duel("candidate", rules=Rules(breaker=BreakerRule(failures=2, open_seconds=60)), says={"content": ""})

    assert [pit.ask("ann").headers["x-pitwall-fallback"] for _ in range(3)] == ["empty", "empty", "circuit-open"]


def test_who_calls_a_tool_answers(pit, duel):
    call = {"id": "call-1", "type": "function", "function": {"name": "seek", "arguments": "{}"}}
    duel("candidate", runs=RUNS, says={"content": None, "tool_calls": [call]})

    assert pit.ask("ann").headers["x-pitwall-variant"] == "aks-v2"

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="ok") == 1
