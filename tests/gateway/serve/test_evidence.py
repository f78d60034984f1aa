"""Questions over HTTP, counted by the run that assigned them."""

import asyncio

import httpx
import pytest

from pitwall_crds.names import LATENCY_EDGES, Metric
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.feedback.ledger import LedgerRule
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.serve.relay import Relay
from pitwall_gateway.serve.settings import Rules
from pitwall_gateway.values.question import Question

RUNS = {"sampler.variant": "run-1", "sampler.variant.shadow": "run-1"}
CANDIDATE = {"sampler_variant": "aks-v2", "arm": "candidate", "run": "run-1"}
SHADOW = {"sampler_variant": "aks-v2", "arm": "shadow", "run": "run-1"}
TOLD = {"frame_selection_seconds": 0.25, "stages": {"encode": 0.5}}
PATIENT = Rules(breaker=BreakerRule(failures=1_000), limits=CallLimits(answer_seconds=0.5))
LATENCY = {"quantity": "latency", "edge": str(LATENCY_EDGES[-1])}


def test_an_answer_counts_on_its_arm_and_run_with_everything_that_it_tells(pit, duel):
    duel("candidate", runs=RUNS, tokens=150, cache="cold", details=TOLD)

    pit.ask("ann")

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="ok") == 1
    assert pit.metric(Metric.EVIDENCE_WITHIN, **CANDIDATE, **LATENCY) == 1
    assert pit.metric(Metric.EVIDENCE_BEYOND, **CANDIDATE, **LATENCY) == 0
    assert pit.metric(Metric.EVIDENCE_BEYOND, **CANDIDATE, quantity="selection", edge="1e-05") == 1
    values = {name: pit.metric(Metric.EVIDENCE_VALUE, **CANDIDATE, quantity=name) for name in ("tokens", "encoder")}
    assert values == {"tokens": 150, "encoder": 0.5}
    assert pit.metric(Metric.EVIDENCE_CACHE_QUERIES, **CANDIDATE, result="cold") == 1
    assert pit.metric(Metric.EVIDENCE_QUERIES) == 1


def test_a_question_that_is_stuck_counts_as_slow_before_it_ends(pit, duel):
    _, candidate = duel("candidate", runs=RUNS, hangs=True)
    with pit.in_background(lambda: pit.ask("ann")) as asked:
        pit.until(lambda: pit.metric(Metric.EVIDENCE_BEYOND, **CANDIDATE, edge="0.256") == 1, "the wait to show")
        answered = pit.metric(Metric.EVIDENCE_QUERIES, outcome="ok")
        candidate.release.set()

    assert (asked.result().status_code, answered) == (200, 0)
    assert pit.metric(Metric.EVIDENCE_BEYOND, **CANDIDATE, edge="0.256") == 1
    assert pit.metric(Metric.EVIDENCE_WITHIN, **CANDIDATE, **LATENCY) == 1


def test_a_fallback_is_an_error_and_a_wait_of_the_candidate_and_nothing_of_what_stable_told(pit, duel):
    stable, _ = duel("candidate", runs=RUNS, status=500)
    stable.details = TOLD

    pit.ask("ann")

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 1
    assert pit.metric(Metric.EVIDENCE_QUERIES, outcome="ok") == 0
    assert pit.metric(Metric.EVIDENCE_WITHIN, **CANDIDATE, **LATENCY) == 1
    assert pit.metric(Metric.EVIDENCE_VALUED) == pit.metric(Metric.EVIDENCE_CACHE_QUERIES) == 0


def test_a_question_that_nobody_answers_is_an_error_known_to_have_waited(pit, duel):
    stable, _ = duel("candidate", runs=RUNS, rules=PATIENT, hangs=True)
    stable.status = 500

    assert pit.ask("ann").status_code == 504

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 1
    assert pit.metric(Metric.EVIDENCE_BEYOND, **CANDIDATE, edge="0.256") == 1
    assert pit.metric(Metric.EVIDENCE_WITHIN) == 0


def test_a_question_at_fault_is_nobodys_trial(pit, duel):
    stable, _ = duel("candidate", runs=RUNS, status=404)
    stable.status = 404

    assert pit.ask("ann").status_code == 404

    counted = (Metric.EVIDENCE_QUERIES, Metric.EVIDENCE_WITHIN, Metric.EVIDENCE_BEYOND)
    assert [pit.metric(metric) for metric in counted] == [0, 0, 0]


def test_answers_that_tell_nonsense_are_answers(pit, duel):
    nonsense = {"tokens": -1, "frame_selection_seconds": "soon", "stages": [1], "cache": {}}
    duel("candidate", runs=RUNS, details=nonsense)

    assert pit.ask("ann").status_code == 200

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="ok") == 1
    assert pit.metric(Metric.EVIDENCE_VALUED) == 0


def test_a_thumb_counts_on_the_run_that_earned_it(pit, duel):
    runs = dict(RUNS)
    duel("candidate", runs=runs)
    earlier = pit.ask("ann").headers["x-pitwall-answer-id"]
    runs["sampler.variant"] = "run-2"
    pit.ask("ann")

    pit.feedback(answer_id=earlier, session="ann", thumbs="down")

    thumbs = {"signal": "thumbs_down", "unit": "query", "outcome": "bad"}
    assert pit.metric(Metric.EVIDENCE_QUALITY, **CANDIDATE, **thumbs) == 1
    assert pit.metric(Metric.EVIDENCE_QUALITY, run="run-2", **thumbs) == 0
    assert pit.metric(Metric.EVIDENCE_QUERIES, run="run-2", outcome="ok") == 1


def test_a_copy_counts_on_the_shadows_run_with_its_pair(pit, duel):
    duel("stable", runs=RUNS, shadow="aks-v2", tokens=150)

    pit.ask("ann")
    pit.until(lambda: pit.metric(Metric.EVIDENCE_RATIOS, **SHADOW, quantity="tokens") == 1, "the copy")

    assert pit.metric(Metric.EVIDENCE_PAIRS, **SHADOW, outcome="ok") == 1
    assert pit.metric(Metric.EVIDENCE_QUERIES, **SHADOW, outcome="ok") == 1
    ratio = {"quantity": "tokens", **SHADOW}
    assert pit.metric(Metric.EVIDENCE_RATIO_WITHIN, **ratio, edge="1.5") == 1
    assert pit.metric(Metric.EVIDENCE_RATIO_WITHIN, **ratio, edge="1.3") == 0


def test_without_a_split_there_is_no_evidence(pit, duel):
    duel("candidate")

    assert pit.ask("ann").status_code == 200

    assert pit.metric(Metric.EVIDENCE_QUERIES) == 0
    assert pit.metric(Metric.QUERIES) == 1


@pytest.mark.parametrize(("unit", "seconds"), [("query", 7), ("session", 7), ("user", 70)])
def test_the_time_in_which_labels_may_arrive_is_told(pit, duel, unit, seconds):
    duel("stable", rules=Rules(ledger=LedgerRule(window_seconds=7, user_seconds=70)))

    assert pit.metric(Metric.LABEL_WINDOW, unit=unit) == seconds


def test_a_caller_who_leaves_is_counted_like_any_other_once_the_variant_has_answered(pit, duel):
    _, candidate = duel("candidate", runs=RUNS, hangs=True)
    with pytest.raises(httpx.ReadTimeout):
        pit.client.post(pit.url + "/v1/chat/completions", json={"messages": [{}]}, timeout=0.3)
    candidate.release.set()

    pit.until(lambda: pit.metric(Metric.QUERIES, outcome="ok") == 1, "the answer that nobody reads")

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="ok") == 1
    assert pit.metric(Metric.EVIDENCE_BEYOND, **CANDIDATE, edge="0.256") == 1


class SilentVariant:
    """A runtime that never answers."""

    async def ask(self, call):
        await asyncio.Event().wait()


async def test_a_question_that_is_cancelled_leaves_what_its_wait_has_proven(split_flags):
    telemetry = GatewayTelemetry()
    assigner = Assigner(split_flags({"sampler.variant": ("candidate", "aks-v2")}, RUNS), "sampler.variant", str)
    relay = Relay(assigner, Circuits(SilentVariant(), BreakerRule()), telemetry, RecentQuestions())

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(relay.answer(Question(b"{}", "ann", ""), {}), 0.01)
    counted = [sum_of_evidence(telemetry, edge) for edge in ("0.001", "65.54")]

    assert counted == [1, 0]
    assert not [sample for sample in samples(telemetry, Metric.EVIDENCE_QUERIES) if sample.value]


def samples(telemetry, metric):
    return [sample for family in telemetry.evidence.collect() for sample in family.samples if sample.name == metric]


def sum_of_evidence(telemetry, edge):
    return sum(sample.value for sample in samples(telemetry, Metric.EVIDENCE_BEYOND) if sample.labels["edge"] == edge)
