"""Users for whom a candidate always fails: what their open circuits keep from it was not answered by it."""

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from stand_ins import NoSubstitutes

from pitwall_crds.names import Arm, Metric
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.counting.users.shares import ShareRule, Shares
from pitwall_gateway.flags.assign import Assignment
from pitwall_gateway.pools import circuits
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.serve.answering.relay import Relay
from pitwall_gateway.serve.settings import Rules
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure
from pitwall_gateway.values.question import Question
from pitwall_operator.gates import GateEvidence, StageContext, StageKind
from pitwall_operator.gates.assessment import Assessment
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.counting.cursor import Cursor
from pitwall_operator.observe.scrape import parse

RUNS = {"sampler.variant": "run-1"}
CANDIDATE = {"sampler_variant": "aks-v2", "arm": "candidate", "run": "run-1"}
BRIEF = Rules(breaker=BreakerRule(failures=2, open_seconds=0.5, longest_open_seconds=3_600))
ANALYSIS = Analysis.model_validate(
    {
        "gates": [
            {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 400, "dependence": "Query"}
        ]
    }
)
(ERRORS,) = ANALYSIS.gates
USERS, ROUNDS = 200, 50
PAUSE_SECONDS = 15.0
"""Between two questions of a user."""


def outcomes(pit, outcome: str) -> float:
    return pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome=outcome)


def kept(pit) -> float:
    return pit.metric(Metric.EVIDENCE_ABANDONED, **CANDIDATE, edge="+Inf")


def ask_until_a_trial_failed(pit, candidate) -> None:
    tried = len(candidate.seen) + BRIEF.breaker.failures + 1
    pit.until(lambda: pit.ask("ann").status_code == 200 and len(candidate.seen) >= tried, "a trial")


def test_every_question_counts_of_a_user_for_whom_the_candidate_always_fails(pit, duel):
    """Of three hundred that all failed forty-eight once counted, and in the last half minute two of 250."""
    _, candidate = duel("candidate", runs=RUNS, rules=BRIEF, status=500)
    ask_until_a_trial_failed(pit, candidate)
    before, asked = outcomes(pit, "error"), len(candidate.seen)
    for _ in range(50):
        assert pit.ask("ann").json()["pitwall"]["sampler_variant"] == "uniform-v1"

    tried = len(candidate.seen) - asked
    assert tried < 50
    assert outcomes(pit, "error") == before + tried, "an open circuit's refusals are no errors for ever"
    assert kept(pit) == 50 - tried
    assert pit.metric(Metric.EVIDENCE_EXCUSED, **CANDIDATE) == outcomes(pit, "ok") == 0


def test_where_stable_fails_them_too_they_are_nobodys(pit, duel):
    stable, candidate = duel("candidate", runs=RUNS, rules=BRIEF, status=500)
    ask_until_a_trial_failed(pit, candidate)
    before = outcomes(pit, "error"), kept(pit)
    stable.status = 500

    assert {pit.ask("ann").status_code for _ in range(20)} <= {502, 503}

    assert (outcomes(pit, "error"), kept(pit)) == before


def test_a_trial_that_is_answered_ends_it(pit, duel):
    _, candidate = duel("candidate", runs=RUNS, rules=BRIEF, status=500)
    ask_until_a_trial_failed(pit, candidate)
    candidate.status = 200
    pit.until(lambda: "x-pitwall-fallback" not in pit.ask("ann").headers, "the trial")
    before = outcomes(pit, "error"), kept(pit)
    for _ in range(5):
        pit.ask("ann")

    assert (outcomes(pit, "error"), kept(pit), outcomes(pit, "ok")) == (*before, 6)


Fails = Callable[[Call], bool]


class Pods:
    """Everybody's pods; each call fails as it is told."""

    def __init__(self, fails: Fails) -> None:
        self._fails = fails

    async def ask(self, call: Call) -> Reply:
        if self._fails(call):
            return VariantFailure(FailureKind.STATUS, "its runtime says 500")
        return VariantAnswer(b"{}", {}, 0.1)


class Sticky:
    """Of five users two are on each of candidate and control, one is on stable."""

    def assign(self, user: str) -> Assignment:
        arm = (Arm.CANDIDATE, Arm.CANDIDATE, Arm.CONTROL, Arm.CONTROL, Arm.STABLE)[int(user) % 5]
        return Assignment(arm, "aks-v2" if arm is Arm.CANDIDATE else "uniform-v1", "SPLIT", "run-1")

    def meets(self, *_: object) -> None: ...

    def stable_variant(self) -> str:
        return "uniform-v1"


async def judged(
    monkeypatch, fails: Fails, *, chatty: int = -1, share: float = 0.05
) -> tuple[GateEvidence, Assessment]:
    """The errors gate after some questions of each user, in blocks of a round; the chatty one asks as many as five
    others."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(circuits, "time", SimpleNamespace(monotonic=lambda: clock.now))
    telemetry = GatewayTelemetry(shares=Shares(ShareRule(user=share), lambda _: 1.0))
    through = Circuits(Pods(fails), BreakerRule(failures=2, open_seconds=30, longest_open_seconds=600))
    relay = Relay(Sticky(), through, telemetry, RecentQuestions(4), 60.0, NoSubstitutes())
    evidence, cursor = GateEvidence.start(ERRORS, ANALYSIS), Cursor.from_state({})
    run = counters.Run("uniform-v1", "aks-v2", "run-1")
    for each in range(ROUNDS):
        for user in (*range(USERS), *[chatty] * (5 if chatty >= 0 else 0)):
            await relay.answer(Question(b"{}", str(user), "", str(user)), {})
            clock.now += PAUSE_SECONDS / USERS
        counts = counters.totals(parse(telemetry.text().decode()), ERRORS, None, run)
        cursor, grown = cursor.advance(float(each), {"gateway": {ERRORS.name: counts}})
        evidence = evidence.update(grown[ERRORS.name])
    return evidence, evidence.assess(StageContext(StageKind.CANARY))


async def test_a_candidate_that_fails_a_tenth_of_all_users_for_good_does_not_pass(monkeypatch):
    """Beside what both arms fail now and then, the errors that are left are no proof of harm."""
    dice = random.Random(0)

    def fails(call: Call) -> bool:
        return dice.random() < 0.05 or (call.arm is Arm.CANDIDATE and int(call.party.name) % 50 in (0, 26))

    evidence, told = await judged(monkeypatch, fails, share=1.0)

    errors = evidence.totals.candidate.rate
    assert errors < 0.08, "circuits keep most of it"
    assert evidence.totals.in_time.candidate.rate > errors + 0.06
    assert told.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
async def test_a_twin_that_fails_now_and_then_as_its_control_does_passes(monkeypatch, seed):
    dice = random.Random(seed)
    evidence, told = await judged(monkeypatch, lambda _: dice.random() < 0.02)

    assert told.verdict is Verdict.NON_INFERIOR
    assert evidence.totals.abandoned.candidate <= 0.01 * evidence.totals.candidate.trials


async def test_one_user_whose_questions_it_fails_moves_nothing(monkeypatch):
    def fails(call: Call) -> bool:
        return call.arm is Arm.CANDIDATE and call.party.name == "0"

    evidence, told = await judged(monkeypatch, fails, chatty=0)

    assert told.verdict is Verdict.NON_INFERIOR
    assert evidence.totals.abandoned.candidate <= 0.01 * evidence.totals.candidate.trials
