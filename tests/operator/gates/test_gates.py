"""A gate's verdicts, as a table; its state; the edges at which a quantile counts."""

import json
import math
import random
from dataclasses import replace

import pytest

from pitwall_crds.rollout.gate import (
    Dependence,
    Gate,
    MeanMetric,
    MeanRule,
    OnHarm,
    QuantileMetric,
    QuantileRule,
    RateMetric,
    RateRule,
    Unit,
)
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, Pairs, Tally
from pitwall_operator.evidence.basis.spread import ArmsSpread, UserSpread
from pitwall_operator.gates import GateEvidence, StageContext, StageKind, margin_edge, tail_edge
from pitwall_operator.gates.budget import OBJECTIVE_HARM, SHARES, harm_log_threshold

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


def mean(metric):
    return Gate(name="mean", mean=MeanRule(metric=metric))


def slo(milliseconds=2000, **fields):
    """A wide latency gate with an absolute objective beside it."""
    rule = QuantileRule(metric=QuantileMetric.QUERY_LATENCY, objective_milliseconds=milliseconds)
    return Gate(name="slo", quantile=rule, margin_percent=1000, **fields)


def error_slo(**fields):
    rule = RateRule(metric=RateMetric.ERRORS, objective_basis_points=200)
    return Gate(name="slo", rate=rule, absolute_margin_basis_points=500, **fields)


def missing_objective(rate, control=0.01, blocks=60, trials=50):
    """Blocks of a split that is equal beyond the gate's own edges, with this share of the candidate's above the SLO."""
    draw = random.Random(13)
    split_blocks = split(control, control, trials, blocks)
    return [
        Counts(
            block.control, block.candidate, objective=Tally(trials, sum(draw.random() < rate for _ in range(trials)))
        )
        for block in split_blocks
    ]


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
        latency(), split(0.01, 0.01) + split(0.01, 0.2), BAKE, Verdict.HARMFUL, id="a-bake-worse-than-control-is-harm"
    ),
    pytest.param(
        latency(), split(0.01, 0.01) + split(0.2, 0.2), BAKE, Verdict.NON_INFERIOR, id="a-bad-hour-of-both-arms-is-not"
    ),
    pytest.param(
        latency(), split(0.01, 0.01) + alone(0.3), BAKE, Verdict.INCONCLUSIVE, id="without-control-nothing-is-compared"
    ),
    pytest.param(slo(**QUERY), missing_objective(0.06), CANARY, Verdict.HARMFUL, id="above-the-objective-is-harm"),
    pytest.param(slo(), missing_objective(0.06), CANARY, Verdict.HARMFUL, id="above-the-objective-even-if-correlated"),
    pytest.param(
        slo(), missing_objective(0.06, control=0.06), CANARY, Verdict.HARMFUL, id="an-objective-knows-no-control"
    ),
    pytest.param(
        slo(**QUERY), missing_objective(0.0005), CANARY, Verdict.NON_INFERIOR, id="below-the-objective-passes"
    ),
    pytest.param(
        slo(**QUERY), missing_objective(0.01), CANARY, Verdict.INCONCLUSIVE, id="at-the-objective-is-no-proof"
    ),
    pytest.param(
        slo(), missing_objective(0.0), CANARY, Verdict.INCONCLUSIVE, id="sixty-clean-blocks-prove-no-objective-of-1%"
    ),
    pytest.param(slo(), missing_objective(0.0, blocks=430), CANARY, Verdict.NON_INFERIOR, id="more-clean-blocks-do"),
    pytest.param(
        error_slo(),
        [Counts(candidate=Tally(50, 6), objective=Tally(50, 6))] * 40,
        BAKE,
        Verdict.HARMFUL,
        id="an-objective-acts-in-the-bake",
    ),
    pytest.param(
        mean(MeanMetric.FRAME_SELECTION), values(0.01, 0.02), CANARY, Verdict.INCONCLUSIVE, id="noise-hides-seconds"
    ),
    pytest.param(
        mean(MeanMetric.ENCODER_UTILIZATION), values(2000, 3000), CANARY, Verdict.HARMFUL, id="a-busier-encoder-is-harm"
    ),
    pytest.param(
        thumbs(margin_percent=25),
        [Counts(Tally(50, 42), Tally(5, 5))] * 60,
        CANARY,
        Verdict.INCONCLUSIVE,
        id="no-margin-covers-a-candidate-of-which-all-is-bad",
    ),
    pytest.param(
        thumbs(**QUERY), [Counts(Tally(50, 42), Tally(5, 5))] * 9, CANARY, Verdict.INCONCLUSIVE, id="nor-for-queries"
    ),
    pytest.param(
        errors(absolute_margin_basis_points=9_000, **QUERY),
        [Counts(Tally(50, 10), Tally(50, 50))] * 2,
        CANARY,
        Verdict.HARMFUL,
        id="nor-an-absolute-one",
    ),
    pytest.param(
        errors(),
        [counts for _ in range(12) for counts in (Counts(control=Tally(1)), Counts(candidate=Tally(1, 1)))],
        CANARY,
        Verdict.HARMFUL,
        id="a-failure-at-a-time-is-harm-though-arms-never-meet",
    ),
    pytest.param(thumbs(), [], SHADOW, Verdict.UNMEASURED, id="no-pairs-cannot-be-measured"),
]


@pytest.mark.parametrize(("gate", "blocks", "stage", "verdict"), TABLE)
def test_verdict(gate, blocks, stage, verdict):
    assert fed(gate, blocks).assess(stage).verdict is verdict


def test_harm_stays_whatever_comes_after():
    blocks = split(0.01, 0.3, blocks=12) + split(0.3, 0.0, blocks=100)
    assert fed(latency(**QUERY), blocks).assess(CANARY).verdict is Verdict.HARMFUL


def impatient(control, candidate, blocks=120, trials=50):
    """Blocks of which these shares of the questions of each arm were left by their callers: early, and late."""
    draw = random.Random(11)

    def left(share):
        return sum(draw.random() < share for _ in range(trials))

    counted = []
    for block in split(0.01, 0.01, trials, blocks):
        early, late = left(candidate[0]), left(candidate[1])
        # the control's late ones are beyond its edge
        control_arm = block.control.with_bad(left(control[1]))
        abandoned = Abandoned(left(control[0]), early + late, late=late)
        counted.append(replace(block, control=control_arm, abandoned=abandoned))
    return counted


IMPATIENCE = [
    pytest.param((0.0, 0.01), (0.0, 0.01), Verdict.NON_INFERIOR, id="those-who-wait-longer-than-the-controls-limit"),
    pytest.param((0.1, 0.0), (0.1, 0.0), Verdict.NON_INFERIOR, id="those-who-leave-as-they-like"),
    pytest.param((0.1, 0.01), (0.1, 0.01), Verdict.NON_INFERIOR, id="both"),
    pytest.param((0.0, 0.01), (0.0, 0.05), Verdict.INCONCLUSIVE, id="one-in-25-hangs-for-those-who-wait"),
    pytest.param((0.01, 0.0), (0.11, 0.0), Verdict.INCONCLUSIVE, id="one-in-ten-hangs-for-those-who-do-not"),
]


@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize(("control", "candidate", "verdict"), IMPATIENCE)
def test_a_candidate_that_hangs_does_not_pass_because_callers_leave(dependence, control, candidate, verdict):
    gate = latency(dependence=dependence)

    assert fed(gate, impatient(control, candidate)).assess(CANARY).verdict is verdict


@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize(
    ("control", "candidate", "verdict"),
    [
        pytest.param(0.0, 0.0, Verdict.NON_INFERIOR, id="nobody-leaves"),
        pytest.param(0.1, 0.1, Verdict.NON_INFERIOR, id="people-leave-both-alike"),
        pytest.param(0.01, 0.04, Verdict.INCONCLUSIVE, id="three-in-a-hundred-leave-the-candidate-besides"),
    ],
)
def test_who_leaves_is_no_error_and_yet_no_answer(dependence, control, candidate, verdict):
    gate = errors(dependence=dependence, absolute_margin_basis_points=100)
    blocks = [
        replace(good, abandoned=left.abandoned)
        for good, left in zip(split(0.0, 0.0, blocks=120), impatient((control, 0.0), (candidate, 0.0)), strict=True)
    ]

    assert fed(gate, blocks).assess(CANARY).verdict is verdict


def test_impatience_alone_is_no_harm():
    assert fed(latency(), impatient((0.0, 0.0), (0.5, 0.0))).assess(CANARY).verdict is Verdict.INCONCLUSIVE


def test_who_left_is_told_where_it_holds_the_candidate():
    late = fed(latency(), impatient((0.0, 0.01), (0.0, 0.05))).assess(CANARY).message
    early = fed(latency(), impatient((0.01, 0.0), (0.11, 0.0))).assess(CANARY).message

    assert late.startswith("5.9% of queries were slower than the p99 limit (308 of them left unanswered), control 2.0%")
    assert "% of queries were slower than the p99 limit or left unanswered, control " in early


def cached(blocks, control, candidate, stable=0.02):
    """These blocks, with such shares of cold questions."""
    arms = EdgeTallies(*(Tally(50, round(50 * rate)) for rate in (control, candidate, stable)))
    return [replace(block, caches=arms) for block in blocks]


COLD_CONTROL = [
    pytest.param(
        split(0.06, 0.02), (0.4, 0.1), Verdict.INCONCLUSIVE, id="a-cold-control-is-slow-and-lets-nothing-pass"
    ),
    pytest.param(split(0.01, 0.01), (0.3, 0.2), Verdict.NON_INFERIOR, id="within-the-margin-it-does"),
    pytest.param(
        split(0.01, 0.01), (0.1, 0.4), Verdict.NON_INFERIOR, id="a-candidate-that-is-colder-has-itself-to-blame"
    ),
    pytest.param(split(0.01, 0.12), (0.4, 0.1), Verdict.HARMFUL, id="harm-is-found-beside-a-cold-control"),
]


@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize(("blocks", "cold", "verdict"), COLD_CONTROL)
def test_what_a_cold_control_proves(dependence, blocks, cold, verdict):
    assert fed(latency(dependence=dependence), cached(blocks * 2, *cold)).assess(CANARY).verdict is verdict


def test_a_control_that_was_cold_is_compared_once_it_is_warm():
    evidence = fed(latency(), cached(split(0.06, 0.01), 0.4, 0.05))
    told = evidence.assess(CANARY).message
    for block in cached(split(0.01, 0.01, blocks=400), 0.05, 0.05):
        evidence = evidence.update(block)

    facts = "40.0% of its questions are cold, the candidate's 6.0%, stable's 2.0%"
    ways_out = "give them time, a shared control or pitwall promote"
    assert told.replace("4.0%", "6.0%").startswith(
        f"the control's pods are still warming up ({facts}): {ways_out}; 0.93% of queries were slower"
    )
    assert evidence.assess(CANARY).verdict is Verdict.NON_INFERIOR


def test_tighter_stages_need_more():
    evidence = fed(latency(**QUERY), split(0.02, 0.02, blocks=30))
    verdicts = [evidence.assess(StageContext(StageKind.CANARY, index)).verdict for index in range(5)]
    assert verdicts == [*[Verdict.NON_INFERIOR] * 2, *[Verdict.INCONCLUSIVE] * 3]


def test_error_budget_is_spent_once():
    gates = (latency(weight=3), thumbs(), errors(on_harm=OnHarm.OBSERVE, weight=50))
    analysis = Analysis(gates=gates, false_rollback_per_mille=10)
    spent = sum(math.exp(-harm_log_threshold(gate, analysis, process)) for gate in gates[:2] for process in SHARES)
    assert spent == pytest.approx(0.01)


def test_an_objective_takes_its_share_only_where_there_is_one():
    plain, strict = errors(), error_slo()
    assert sum(math.exp(-harm_log_threshold(plain, Analysis(gates=(plain,)), key)) for key in SHARES) == pytest.approx(
        0.01
    )
    spent = (math.exp(-harm_log_threshold(strict, Analysis(gates=(strict,)), key)) for key in (*SHARES, OBJECTIVE_HARM))
    assert sum(spent) == pytest.approx(0.01)


EQUAL_ARMS = [Counts(block.control, block.candidate, stable=block.control) for block in split(0.05, 0.05)]
STARVED = [Counts(*(Tally(50, bad) for bad in (12, 12)), stable=Tally(50, 2)) for _ in range(60)]


@pytest.mark.parametrize("dependence", list(Dependence))
def test_where_pods_differ_too_unequal_arms_are_told_and_change_no_verdict(dependence):
    gate = latency(dependence=dependence)
    starved = fed(gate, STARVED).assess(CANARY)
    without = fed(gate, [Counts(block.control, block.candidate) for block in STARVED]).assess(CANARY)
    assert starved.verdict is without.verdict
    assert "though they run the same sampler (24.0% and 4.0%" in starved.warning
    assert starved.message.endswith(starved.warning)
    assert fed(gate, EQUAL_ARMS).assess(CANARY).warning == without.warning == ""


@pytest.mark.parametrize("dependence", list(Dependence))
def test_where_chance_alone_tells_control_and_stable_apart_nothing_passes_once_they_differ(dependence):
    gate = thumbs(dependence=dependence)
    alike = [replace(block, stable=block.control, shared=True) for block in split(0.05, 0.05)]
    lifted = [Counts(Tally(50, 12), Tally(50, 2), stable=Tally(50, 2), shared=True)] * 60
    assert fed(gate, alike).assess(CANARY).verdict is Verdict.NON_INFERIOR
    held = fed(gate, [*alike, *lifted]).assess(CANARY)
    assert (held.verdict, held.missing_trials) == (Verdict.UNMEASURED, None)
    assert held.message == held.warning
    assert "suspect a caller that knows arms" in held.message


def test_harm_is_about_stable_too_so_it_stands_beside_an_alarm():
    worse = [Counts(Tally(50, 4), Tally(50, 25), stable=Tally(400, 4), shared=True) for _ in range(60)]
    verdict = fed(thumbs(), worse).assess(CANARY)
    assert verdict.verdict is Verdict.HARMFUL
    assert "control and stable differ" in verdict.warning


@pytest.mark.parametrize("dependence", list(Dependence))
@pytest.mark.parametrize(("candidate", "lifted"), [(0.2, 0.2), (0.2, 0.3), (0.3, 0.3), (0.3, 0.6)])
def test_who_votes_the_control_down_carries_no_bad_candidate_on(dependence, candidate, lifted):
    """The caller knows arms. Stable has a tenth of thumbs down; the last margin allows an eighth."""
    draw, last = random.Random(11), StageContext(StageKind.CANARY, 16)
    gate = thumbs(dependence=dependence)
    watched = blind = GateEvidence.start(gate, Analysis(gates=(gate,)))
    passed = []
    for _ in range(120):
        control, own, stable = (
            Tally(trials, sum(draw.random() < rate for _ in range(trials)))
            for trials, rate in ((20, lifted), (20, candidate), (160, 0.1))
        )
        watched = watched.update(Counts(control, own, stable=stable, shared=True))
        blind = blind.update(Counts(control, own))
        passed.append([one.assess(last).verdict is Verdict.NON_INFERIOR for one in (watched, blind)])
    assert [any(column) for column in zip(*passed, strict=True)] == [False, True]


def test_the_monitor_is_shown_and_never_acts():
    readings = {reading.name: reading for reading in fed(latency(), STARVED).assess(CANARY).readings}
    assert readings["aa-block"].log_e > readings["aa-block"].log_threshold == readings["harm"].log_threshold
    assert not readings["aa-block"].acting
    assert not readings["aa-query"].acting


@pytest.mark.parametrize(
    "gate",
    [
        latency(),
        thumbs(**QUERY),
        tokens(),
        errors(absolute_margin_basis_points=100),
        slo(),
        slo(**QUERY),
        mean(MeanMetric.FRAME_SELECTION),
    ],
)
def test_restoring_at_every_block_changes_nothing(gate):
    analysis = Analysis(gates=(gate,))
    straight = restored = GateEvidence.start(gate, analysis)
    blocks = [
        block
        + Counts(
            pairs=Pairs(9, 3, 2),
            stable=Tally(90, 4, 0.3),
            objective=Tally(20, 1),
            abandoned=Abandoned(1, 2, 3, late=1, excused=1, copies=4),
            caches=EdgeTallies(Tally(9, 5), Tally(9, 1), Tally(90, 1)),
        )
        for block in split(0.05, 0.08, trials=20, blocks=25) + values(9, 9.1)
    ]
    for block in blocks:
        straight = straight.update(block)
        state = json.loads(json.dumps(restored.update(block).to_state()))
        restored = GateEvidence.from_state(gate, analysis, state)
        assert restored == straight
        assert restored.assess(CANARY) == straight.assess(CANARY)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize(
    ("gate", "blocks", "verdict", "words"),
    [
        (latency(), split(0.01, 0.2), Verdict.HARMFUL, "worse in each block"),
        (latency(), split(0.02, 0.02, blocks=600), Verdict.NON_INFERIOR, "no worse in each block"),
        (latency(**QUERY), split(0.01, 0.2), Verdict.HARMFUL, "worse in each block"),
        (tokens(), values(1000, 2000), Verdict.HARMFUL, "worse in each block"),
    ],
)
def test_what_few_users_may_differ_by_anyway_is_neither_harm_nor_its_absence(gate, blocks, verdict, words, few):
    spread = UserSpread(500, 40_000.0 if gate.mean else 0.05, 2000.0 if few else 1.0, 9.0 if few else 500.0)
    spreads = (ArmsSpread(spread, spread),)
    found = fed(gate, [replace(block, spreads=spreads) for block in blocks]).assess(CANARY)

    assert found.verdict is (Verdict.INCONCLUSIVE if few else verdict)
    assert (f"{words} (e=" in found.message and "within what 9 users like these differ by" in found.message) is few
    assert not few or found.missing_trials is None


def test_an_empty_state_is_a_start():
    gate = latency()
    analysis = Analysis(gates=(gate,))
    assert GateEvidence.from_state(gate, analysis, {}) == GateEvidence.start(gate, analysis)


def test_message_holds_the_numbers():
    message = fed(latency(**QUERY), split(0.01, 0.12, blocks=8)).assess(CANARY).message
    assert message.startswith("12.0% of queries were slower than the p99 limit, control 2.0%, 400 queries, e=")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (MeanMetric.TOKENS_PER_QUERY, "0.012 tokens per query, control 0.01, 200 queries, e="),
        (MeanMetric.FRAME_SELECTION, "12 ms of frame selection per query, control 10 ms, 200 queries, e="),
        (MeanMetric.ENCODER_UTILIZATION, "12 ms of the encoder's time per query, control 10 ms, 200 queries, e="),
    ],
)
def test_a_mean_is_told_with_its_unit(metric, words):
    message = fed(mean(metric), [Counts(Tally(20, 0, 0.2), Tally(20, 0, 0.24))] * 10).assess(CANARY).message
    assert message.startswith(words)


def test_an_objective_is_told_without_the_control():
    message = fed(slo(**QUERY), missing_objective(0.06)).assess(CANARY).message
    assert message.startswith("6.2% of 3000 queries took longer than 2000 ms, the objective p99 allows 1.0%, e=")
    message = fed(error_slo(), [Counts(candidate=Tally(50, 6), objective=Tally(50, 6))] * 9).assess(BAKE).message
    assert message.startswith("12.0% of 450 queries failed, the objective allows 2.0%, e=")


def test_users_are_called_users():
    gate = Gate(name="u", rate=RateRule(metric=RateMetric.THUMBS_DOWN, unit=Unit.USER))
    assert "of users got a thumbs-down" in fed(gate, split(0.1, 0.1, blocks=2)).assess(CANARY).message
    assert "no users measured yet" in fed(gate, []).assess(CANARY).message


@pytest.mark.parametrize(("dependence", "start"), [(Dependence.QUERY, 4), (Dependence.BLOCK, 40)])
def test_missing_trials_of_an_objective_are_roughly_what_is_then_needed(dependence, start):
    gate = slo(dependence=dependence)
    blocks = missing_objective(0.001, blocks=1200)
    evidence, needed = fed(gate, blocks[:start]), 0
    missing = evidence.assess(CANARY).missing_trials
    while evidence.assess(CANARY).verdict is Verdict.INCONCLUSIVE:
        evidence, needed = evidence.update(blocks[start + needed]), needed + 1
    assert 0.3 < missing / (50 * needed) < 3


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
