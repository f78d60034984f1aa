"""Questions over HTTP, counted by the run that assigned them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.names import Metric
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.counting.users.rare_trials import FIRST
from pitwall_gateway.counting.users.shares import ShareRule
from pitwall_gateway.feedback.ledger import LedgerRule
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.serve.answering.relay import Relay
from pitwall_gateway.serve.answering.substitutes import Substitutes
from pitwall_gateway.serve.settings import Rules
from pitwall_gateway.values.question import Question

RUNS = {"sampler.variant": "run-1", "sampler.variant.shadow": "run-1"}
CANDIDATE = {"sampler_variant": "aks-v2", "arm": "candidate", "run": "run-1"}
SHADOW = {"sampler_variant": "aks-v2", "arm": "shadow", "run": "run-1"}
TOLD = {"frame_selection_seconds": 0.25, "stages": {"encode": 0.5}}
PATIENT = Rules(breaker=BreakerRule(failures=1_000), limits=CallLimits(answer_seconds=2))
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
    assert pit.metric(Metric.EVIDENCE_CALLERS, **CANDIDATE, kind="question", caller="local") == 1


def test_of_a_user_whose_answers_alone_are_large_no_more_count_than_cannot_look_like_harm(pit, duel):
    _, candidate = duel("candidate", runs=RUNS, rules=Rules(shares=ShareRule(user=0.05)), tokens=150)
    for number in range(40):
        pit.ask(f"user-{number}")
    candidate.tokens = 9000
    for _ in range(8):
        pit.ask("ann")

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="ok") == 40 + FIRST
    assert pit.metric(Metric.EVIDENCE_VALUE, **CANDIDATE, quantity="tokens") == 40 * 150 + FIRST * 9000
    assert pit.metric(Metric.CAPPED_TRIALS, reason="user") == 8 - FIRST


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


@pytest.mark.parametrize("arm", ["candidate", "control", "stable"])
@pytest.mark.parametrize(
    ("candidates", "stables"),
    [
        pytest.param({"status": 500}, {"status": 500}, id="broken for both"),
        pytest.param({"hangs": True}, {"status": 500}, id="endless for one and broken for the other"),
        pytest.param({"status": 404}, {"status": 500}, id="refused by one and broken for the other"),
        pytest.param({"status": 500}, {"status": 404}, id="broken for one and refused by the other"),
        pytest.param({"status": 204}, {"hangs": True}, id="answered with nothing by one and endless for the other"),
    ],
)
def test_an_odd_question_is_nobodys_evidence_whatever_it_does_to_whom(pit, duel, arm, candidates, stables):
    """One odd video a second once flagged off any candidate."""
    stable, _ = duel(arm, runs=RUNS, rules=PATIENT, **candidates)
    for name, value in stables.items():
        setattr(stable, name, value)

    with ThreadPoolExecutor(3) as at_once:
        asked = [at_once.submit(pit.ask, "ann") for _ in range(3)]
    assert {one.result().status_code for one in asked} <= {404, 502, 504}

    assert pit.metric(Metric.EVIDENCE_QUERIES) == pit.metric(Metric.EVIDENCE_WITHIN) == 0
    assert pit.metric(Metric.EVIDENCE_BEYOND) == 0


@pytest.mark.parametrize("arm", ["candidate", "control"])
@pytest.mark.parametrize("stables", [500, 404], ids=["stable fails it too", "stable refuses it"])
def test_however_often_an_odd_question_is_asked_it_opens_no_circuit(pit, duel, arm, stables):
    stable, candidate = duel(arm, runs=RUNS, status=500)
    stable.status = stables
    asked = stable if arm == "control" else candidate
    for _ in range(8):
        pit.ask("ann")
    before = len(asked.seen)
    stable.status = candidate.status = 200

    assert pit.ask("ann").status_code == 200
    assert len(asked.seen) == before + 1
    assert pit.metric("pitwall_fallbacks_total") == 0


@pytest.mark.parametrize("status", [404, 415, 424, 500, 504])
@pytest.mark.parametrize(
    ("refuses_about", "answers_about", "code", "counts"),
    [
        pytest.param("", "film-1", "media_origin", False, id="its server had not given it to one"),
        pytest.param("film-2", "film-1", "y", False, id="its server gave another one"),
        pytest.param("film-1", "film-1", "media_origin", True, id="both had the same"),
        pytest.param(None, "film-1", "media_origin", True, id="the runtime does not tell"),
        pytest.param("film-1", "", "media_origin", True, id="stable's does not tell"),
    ],
)
def test_a_video_that_its_server_does_not_give_to_both_alike_is_nobodys_error(
    pit, duel, status, refuses_about, answers_about, code, counts
):
    """A server that refused the first who asked, and gave to the next, once had a healthy candidate off in a minute."""
    rules = Rules(breaker=BreakerRule(failures=2))
    stable, candidate = duel("candidate", runs=RUNS, rules=rules, status=status, code=code)
    stable.details = {"video": answers_about} if answers_about else {}
    candidate.refuses_about = refuses_about

    with ThreadPoolExecutor(4) as at_once:
        asked = [at_once.submit(pit.ask, "ann") for _ in range(4)]
    assert {one.result().status_code for one in asked} == {200}

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 4 * counts
    assert pit.metric(Metric.EVIDENCE_QUERIES, outcome="ok") == 0
    assert pit.metric(Metric.EVIDENCE_ABANDONED, **CANDIDATE, edge="+Inf") == 0, "so few count nowhere"
    if not counts:
        asked_before = len(candidate.seen)
        pit.ask("ann")
        assert len(candidate.seen) == asked_before + 1, "it opens no circuit"


@pytest.mark.parametrize(
    ("prepares", "stable_was", "counts"),
    [
        pytest.param(True, "warm", 0, id="stable had the film already"),
        pytest.param(True, "cold", 1, id="stable prepared it too"),
        pytest.param(True, "", 1, id="stable does not tell"),
        pytest.param(False, "warm", 1, id="it was prepared here too"),
    ],
)
def test_what_a_variant_had_yet_to_prepare_and_stable_had_already_is_no_error_of_its_own(
    pit, duel, prepares, stable_was, counts
):
    """Films that stable's pods had and a twin's had not once flagged it off in twenty-two seconds."""
    stable, candidate = duel("candidate", runs=RUNS, rules=PATIENT, status=504)
    stable.details = {"video": "film-1", "cache": stable_was}
    candidate.refuses_about, candidate.prepares = "film-1", prepares

    assert pit.ask("ann").status_code == 200

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == counts
    assert pit.metric(Metric.EVIDENCE_WITHIN, **CANDIDATE, **LATENCY) == counts


@pytest.mark.parametrize(("prepares", "errors"), [(True, 0), (False, 1)])
def test_a_copy_that_had_yet_to_prepare_what_stable_had_is_no_evidence(pit, duel, prepares, errors):
    stable, candidate = duel("stable", runs=RUNS, shadow="aks-v2", status=504)
    stable.details = {"video": "film-1", "cache": "warm"}
    candidate.refuses_about, candidate.prepares = "film-1", prepares

    pit.ask("ann")
    pit.until(lambda: len(candidate.seen) == 1, "the copy")
    candidate.status = 200
    pit.ask("bob")
    pit.until(lambda: pit.metric(Metric.EVIDENCE_QUERIES, **SHADOW, outcome="ok") == 1, "a copy that is answered")

    assert pit.metric(Metric.EVIDENCE_QUERIES, **SHADOW, outcome="error") == errors


@pytest.mark.parametrize(("refuses_about", "counts"), [("", 0), ("film-2", 0), ("film-1", 1)])
def test_a_copy_about_a_video_that_its_server_does_not_give_again_is_no_evidence(pit, duel, refuses_about, counts):
    stable, candidate = duel("stable", runs=RUNS, shadow="aks-v2", status=404, code="media_missing")
    stable.details, candidate.refuses_about = {"video": "film-1"}, refuses_about

    pit.ask("ann")
    pit.until(lambda: len(candidate.seen) == 1, "the copy")
    candidate.status = 200
    pit.ask("bob")
    pit.until(lambda: pit.metric(Metric.EVIDENCE_QUERIES, **SHADOW, outcome="ok") == 1, "a copy that is answered")

    assert pit.metric(Metric.EVIDENCE_QUERIES, **SHADOW, outcome="error") == counts
    assert pit.metric(Metric.EVIDENCE_PAIRS, **SHADOW, outcome="error") == counts


def test_a_copy_that_was_answered_about_another_video_is_compared_with_nothing(pit, duel):
    stable, candidate = duel("stable", runs=RUNS, shadow="aks-v2", tokens=150)
    stable.details, candidate.details = {"video": "film-1"}, {"video": "film-2"}
    pit.ask("ann")
    pit.until(lambda: pit.metric(Metric.EVIDENCE_QUERIES, **SHADOW, outcome="ok") == 1, "the copy")
    candidate.details = {"video": "film-1"}
    pit.ask("ann")
    pit.until(lambda: pit.metric(Metric.EVIDENCE_RATIOS, **SHADOW, quantity="tokens") == 1, "a copy of the same")

    assert pit.metric(Metric.EVIDENCE_PAIRS, **SHADOW, outcome="ok") == 1


def test_stable_that_answers_at_the_second_try_has_failed_once_like_any_other(pit, duel):
    """Else stable's errors would not count where the candidate's do."""
    stable, _ = duel("stable", runs=RUNS)
    stable.fails_first = 1

    answer = pit.ask("ann")

    assert (answer.status_code, answer.headers["x-pitwall-fallback"]) == (200, "status")
    assert pit.metric(Metric.EVIDENCE_QUERIES, arm="stable", outcome="error") == 1
    assert pit.metric(Metric.EVIDENCE_QUERIES) == 1


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


@pytest.mark.parametrize(("unit", "seconds"), [("query", 7), ("session", 35), ("user", 70)])
def test_the_time_in_which_labels_may_arrive_is_told(pit, duel, unit, seconds):
    duel("stable", rules=Rules(ledger=LedgerRule(window_seconds=7, user_seconds=70)))

    assert pit.metric(Metric.LABEL_WINDOW, unit=unit) == seconds


def test_when_a_caller_leaves_the_runtime_is_free_at_once_and_only_the_wait_counts(pit, duel):
    _, candidate = duel("candidate", runs=RUNS, hangs=True)
    with pytest.raises(httpx.ReadTimeout):
        pit.client.post(pit.url + "/v1/chat/completions", json={"messages": [{}]}, timeout=1.5)

    pit.until(lambda: candidate.left, "the runtime to see that nobody waits")
    pit.until(lambda: pit.metric(Metric.REFUSALS, reason="499") == 1, "the gateway to have done")

    assert pit.metric(Metric.QUERIES) == pit.metric(Metric.EVIDENCE_QUERIES) == 0
    assert pit.metric(Metric.EVIDENCE_BEYOND, **CANDIDATE, edge="0.256") == 1
    assert pit.metric(Metric.EVIDENCE_ABANDONED, **CANDIDATE, edge="+Inf") == 1


def test_every_call_has_the_time_that_is_left_and_stables_try_has_some(pit, duel):
    stable, candidate = duel("candidate", runs=RUNS, rules=Rules(limits=CallLimits(answer_seconds=3)), hangs=True)

    assert pit.ask("ann").status_code == 200

    first, second = (int(one.headers[0]["pitwall-deadline-ms"]) for one in (candidate, stable))
    assert 1500 < first <= 2000
    assert 0 < second <= 1000


@pytest.mark.parametrize(
    ("behaviour", "usual", "deadline", "errors"),
    [
        pytest.param({"hangs": True}, 20, "3000", 0, id="no answer in a hurry"),
        pytest.param({"status": 504}, 40, "3000", 0, id="the runtime had too little time"),
        pytest.param({"status": 500}, 40, "3000", 1, id="it fails at once, whatever the time"),
        pytest.param({"hangs": True}, 4, "3000", 1, id="no answer in a fair part of the usual time"),
    ],
)
def test_a_callers_hurry_is_nobodys_error_and_counts_as_if_the_caller_had_left(
    pit, duel, behaviour, usual, deadline, errors
):
    rules = replace(PATIENT, limits=CallLimits(answer_seconds=usual))  # a third of the deadline is left to stable
    duel("candidate", runs=RUNS, rules=rules, **behaviour)

    assert pit.ask("ann", headers={"pitwall-deadline-ms": deadline}).status_code == 200

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == errors
    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE) == errors
    assert pit.metric(Metric.EVIDENCE_ABANDONED, **CANDIDATE, edge="+Inf") == 1 - errors


def test_a_caller_may_say_how_long_it_waits_but_not_longer_than_the_limit(pit, duel):
    _, candidate = duel("candidate", runs=RUNS)

    for said in ("3000", "999999999"):
        assert pit.ask("ann", headers={"pitwall-deadline-ms": said}).status_code == 200
    for said in ("soon", "-1", "nan", "1e3", "9" * 500):
        refused = pit.ask("ann", headers={"pitwall-deadline-ms": said})
        assert refused.status_code == 400
        assert repr(said[:32]) in refused.json()["error"]["message"]

    left = [int(seen["pitwall-deadline-ms"]) for seen in candidate.headers]
    assert 1000 < left[0] <= 2000
    assert all(30_000 < each <= 40_000 for each in left[1:])


class SilentVariant:
    """A runtime that never answers."""

    async def ask(self, call):
        await asyncio.Event().wait()


async def test_a_question_that_is_cancelled_leaves_what_its_wait_has_proven(split_flags):
    telemetry = GatewayTelemetry()
    assigner = Assigner(split_flags({"sampler.variant": ("candidate", "aks-v2")}, RUNS), "sampler.variant", str)
    circuits = Circuits(SilentVariant(), BreakerRule())
    substitutes = Substitutes(assigner, circuits, lambda *_: ())
    relay = Relay(assigner, circuits, telemetry, RecentQuestions(), 60.0, substitutes)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(relay.answer(Question(b"{}", "ann", ""), {}), 0.01)
    counted = [sum_of_evidence(telemetry, edge) for edge in ("0.001", "65.54")]

    assert counted == [1, 0]
    assert not [sample for sample in samples(telemetry, Metric.EVIDENCE_QUERIES) if sample.value]


def samples(telemetry, metric):
    return [sample for family in telemetry.evidence.collect() for sample in family.samples if sample.name == metric]


def sum_of_evidence(telemetry, edge):
    return sum(sample.value for sample in samples(telemetry, Metric.EVIDENCE_BEYOND) if sample.labels["edge"] == edge)
