"""A gate's verdicts, as a table; its state; the edges at which a quantile counts."""

import json
import math
import random

import pytest

from pitwall_crds.gate import (
    Dependence,
    Gate,
    MeanMetric,
    MeanRule,
    OnHarm,
    QuantileMetric,
    QuantileRule,
    RateMetric,
    RateRule,
)
from pitwall_crds.rollout import Analysis
from pitwall_crds.status import Verdict
from pitwall_operator.evidence.counts import Counts, Pairs, Tally
from pitwall_operator.gates import GateEvidence, StageContext, StageKind, margin_edge, tail_edge
from pitwall_operator.gates.budget import SHARES, harm_log_threshold

CANARY = StageContext(StageKind.CANARY)
SHADOW = StageContext(StageKind.SHADOW)
BAKE = StageContext(StageKind.BAKE, 3)


def latency(**fields):
    return Gate(name="latency-p99", quantile=QuantileRule(metric=QuantileMetric.QUERY_LATENCY), **fields)


def thumbs(**fields):
    return Gate(name="thumbs-down", rate=RateRule(metric=RateMetric.THUMBS_DOWN), **fields)


def errors(**fields):
    return Gate(name="errors", rate=RateRule(metric=RateMetric.ERRORS), **fields)


def tokens(**fields):
    return Gate(name="tokens", mean=MeanRule(metric=MeanMetric.TOKENS_PER_QUERY), **fields)


def fed(gate, blocks, *others):
    evidence = GateEvidence.start(gate, Analysis(gates=(gate, *others)))
    for block in blocks:
        evidence = evidence.update(block)
    return evidence


def split(control, candidate, trials=50, blocks=60):
    """Blocks of a split with these bad rates, from a fixed seed."""
    draw = random.Random(7)

    def arm(rate):
        return Tally(trials, sum(draw.random() < rate for _ in range(trials)))

    return [Counts(arm(control), arm(candidate)) for _ in range(blocks)]


def alone(rate):
    """Blocks at full weight, without a control."""
    return [Counts(candidate=block.candidate) for block in split(0.0, rate)]


def values(control, candidate, blocks=60):
    draw = random.Random(7)
    return [
        Counts(*(Tally(20, 0, sum(draw.gauss(mean, 200) for _ in range(20))) for mean in (control, candidate)))
        for _ in range(blocks)
    ]


QUERY = {"dependence": Dependence.QUERY}
BROKEN = [Counts(Tally(10, 0), Tally(10, 8))]
OUTAGE = [Counts(Tally(10, 9), Tally(10, 9))]
SHADOW_SLOWER = [Counts(pairs=Pairs(20, 9, 1))]
TABLE = [
    pytest.param(latency(), [], CANARY, Verdict.UNMEASURED, id="no-data-is-unmeasured"),
    pytest.param(latency(), split(0.01, 0.2), SHADOW, Verdict.HARMFUL, id="harm-proven-by-a-split-stays-proven"),
    pytest.param(latency(), split(0.01, 0.01, blocks=2), CANARY, Verdict.INCONCLUSIVE, id="two-blocks-prove-nothing"),
    pytest.param(latency(**QUERY), split(0.01, 0.12, blocks=8), CANARY, Verdict.HARMFUL, id="slow-tail-is-harm"),
    pytest.param(latency(), split(0.01, 0.12), CANARY, Verdict.HARMFUL, id="slow-tail-is-harm-if-correlated"),
    pytest.param(latency(**QUERY), split(0.01, 0.01), CANARY, Verdict.NON_INFERIOR, id="equal-tail-passes"),
    pytest.param(
        latency(), split(0.01, 0.01, blocks=120), CANARY, Verdict.NON_INFERIOR, id="equal-passes-if-correlated"
    ),
    pytest.param(thumbs(), split(0.2, 0.2, blocks=400), CANARY, Verdict.NON_INFERIOR, id="equal-thumbs-pass"),
    pytest.param(thumbs(), split(0.2, 0.4), CANARY, Verdict.HARMFUL, id="double-thumbs-down-is-harm"),
    pytest.param(tokens(), values(2000, 2000), CANARY, Verdict.NON_INFERIOR, id="equal-tokens-pass"),
    pytest.param(tokens(), values(2000, 3000), CANARY, Verdict.HARMFUL, id="half-more-tokens-is-harm"),
    pytest.param(tokens(), values(2000, 2050), BAKE, Verdict.NON_INFERIOR, id="tokens-within-the-margin-pass"),
    pytest.param(
        errors(absolute_margin_basis_points=200, **QUERY),
        split(0.0, 0.0),
        BAKE,
        Verdict.NON_INFERIOR,
        id="no-errors-pass-by-difference",
    ),
    pytest.param(errors(**QUERY), split(0.0, 0.0), CANARY, Verdict.INCONCLUSIVE, id="no-errors-prove-no-ratio"),
    pytest.param(
        thumbs(minimum_trials=10_000), split(0.2, 0.4), CANARY, Verdict.INCONCLUSIVE, id="too-few-trials-to-be-harm"
    ),
    pytest.param(latency(**QUERY), SHADOW_SLOWER * 3, SHADOW, Verdict.HARMFUL, id="shadow-slower-is-harm"),
    pytest.param(latency(), SHADOW_SLOWER * 3, SHADOW, Verdict.INCONCLUSIVE, id="three-correlated-blocks-are-no-harm"),
    pytest.param(latency(), SHADOW_SLOWER * 12, SHADOW, Verdict.HARMFUL, id="twelve-correlated-blocks-are-harm"),
    pytest.param(
        latency(), [Counts(pairs=Pairs(20, 2, 2))] * 40, SHADOW, Verdict.NON_INFERIOR, id="shadow-equal-passes"
    ),
    pytest.param(latency(), [Counts(pairs=Pairs(20, 10, 9))], SHADOW, Verdict.INCONCLUSIVE, id="shadow-unclear-waits"),
    pytest.param(
        errors(**QUERY),
        [Counts(pairs=Pairs(200, 1, 0))] * 40,
        SHADOW,
        Verdict.NON_INFERIOR,
        id="stray-failed-copies-pass",
    ),
    pytest.param(
        errors(), [Counts(pairs=Pairs(9, 8, 0))] * 15, SHADOW, Verdict.HARMFUL, id="copies-that-all-fail-are-harm"
    ),
    pytest.param(errors(), BROKEN * 3, CANARY, Verdict.HARMFUL, id="an-error-burst-acts-at-once"),
    pytest.param(
        errors(minimum_trials=10_000),
        BROKEN * 3,
        CANARY,
        Verdict.HARMFUL,
        id="a-burst-does-not-wait-for-minimum-trials",
    ),
    pytest.param(errors(), OUTAGE * 50, CANARY, Verdict.NON_INFERIOR, id="an-outage-of-both-arms-is-nobodys-harm"),
    pytest.param(
        latency(), split(0.01, 0.01) + alone(0.01), BAKE, Verdict.INCONCLUSIVE, id="a-bake-like-the-record-goes-on"
    ),
    pytest.param(
        latency(), split(0.01, 0.01) + alone(0.1), BAKE, Verdict.HARMFUL, id="a-bake-beyond-the-record-is-harm"
    ),
    pytest.param(thumbs(), [], SHADOW, Verdict.UNMEASURED, id="no-pairs-cannot-be-measured"),
]


@pytest.mark.parametrize(("gate", "blocks", "stage", "verdict"), TABLE)
def test_verdict(gate, blocks, stage, verdict):
    assert fed(gate, blocks).assess(stage).verdict is verdict


def test_harm_stays_whatever_comes_after():
    blocks = split(0.01, 0.3, blocks=12) + split(0.3, 0.0, blocks=100)
    assert fed(latency(**QUERY), blocks).assess(CANARY).verdict is Verdict.HARMFUL


def test_tighter_stages_need_more():
    evidence = fed(latency(**QUERY), split(0.02, 0.02, blocks=30))
    verdicts = [evidence.assess(StageContext(StageKind.CANARY, index)).verdict for index in range(5)]
    assert verdicts == [*[Verdict.NON_INFERIOR] * 2, *[Verdict.INCONCLUSIVE] * 3]


def test_error_budget_is_spent_once():
    gates = (latency(weight=3), thumbs(), errors(on_harm=OnHarm.OBSERVE, weight=50))
    analysis = Analysis(gates=gates, false_rollback_per_mille=10)
    spent = sum(math.exp(-harm_log_threshold(gate, analysis, process)) for gate in gates[:2] for process in SHARES)
    assert spent == pytest.approx(0.01)


@pytest.mark.parametrize("gate", [latency(), thumbs(**QUERY), tokens(), errors(absolute_margin_basis_points=100)])
def test_restoring_at_every_block_changes_nothing(gate):
    analysis = Analysis(gates=(gate,))
    straight = restored = GateEvidence.start(gate, analysis)
    blocks = [
        block + Counts(pairs=Pairs(9, 3, 2)) for block in split(0.05, 0.08, trials=20, blocks=25) + values(9, 9.1)
    ]
    for block in blocks:
        straight = straight.update(block)
        state = json.loads(json.dumps(restored.update(block).to_state()))
        restored = GateEvidence.from_state(gate, analysis, state)
        assert restored == straight
        assert restored.assess(CANARY) == straight.assess(CANARY)


def test_an_empty_state_is_a_start():
    gate = latency()
    analysis = Analysis(gates=(gate,))
    assert GateEvidence.from_state(gate, analysis, {}) == GateEvidence.start(gate, analysis)


def test_message_holds_the_numbers():
    message = fed(latency(**QUERY), split(0.01, 0.12, blocks=8)).assess(CANARY).message
    assert message.startswith("12.0% of queries were slower than the p99 limit, control 2.0%, 400 queries, e=")


def test_message_says_what_is_missing():
    assessment = fed(latency(**QUERY), split(0.01, 0.01, blocks=2)).assess(CANARY)
    assert assessment.missing_trials is not None
    assert f"about {assessment.missing_trials} more queries needed" in assessment.message


@pytest.mark.parametrize("gate", [latency(**QUERY), latency()])
def test_missing_trials_is_roughly_what_is_then_needed(gate):
    blocks = split(0.1, 0.1, blocks=400)
    evidence = fed(gate, blocks[:40])
    stage = StageContext(StageKind.CANARY, 2)
    missing = evidence.assess(stage).missing_trials
    needed = next(
        50 * count
        for count in range(400)
        if fed(gate, blocks[: 40 + count]).assess(stage).verdict is Verdict.NON_INFERIOR
    )
    assert missing == 0 == needed or 0.3 < missing / needed < 3


def test_missing_trials_cannot_be_known_for_a_worse_candidate():
    assert fed(thumbs(**QUERY), split(0.1, 0.6, blocks=2)).assess(CANARY).missing_trials is None


EDGES = (0.5, 1.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("cumulative", "per_mille", "edge"),
    [
        pytest.param((0, 990, 1000, 1000), 990, 1.0, id="exactly-at-an-edge"),
        pytest.param((0, 989, 1000, 1000), 990, 2.0, id="just-beyond-an-edge"),
        pytest.param((0, 0, 0, 0, 10), 990, math.inf, id="beyond-the-last-edge"),
        pytest.param((500, 700, 800, 900, 1000), 500, 0.5, id="median"),
    ],
)
def test_tail_edge(cumulative, per_mille, edge):
    assert tail_edge(EDGES, cumulative, per_mille) == edge


def test_tail_edge_refuses_an_empty_history():
    with pytest.raises(ValueError, match="wait for traffic"):
        tail_edge(EDGES, (0, 0, 0, 0), 990)


@pytest.mark.parametrize(
    ("tau", "margin", "edge"), [(1.0, 0, 1.0), (1.0, 10, 2.0), (1.0, 100, 2.0), (4.0, 10, math.inf)]
)
def test_margin_edge(tau, margin, edge):
    assert margin_edge(EDGES, tau, margin) == edge
