"""Views: what a process is shown of a block, by rules that look at how many trials there are only."""

import json
import math
import random

import pytest

from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.conjunction import BothProcess
from pitwall_operator.evidence.contrast import ContrastProcess, Measure
from pitwall_operator.evidence.label_swap import LabelSwapProcess, MeanSwapProcess
from pitwall_operator.evidence.mixture import MeanProcess
from pitwall_operator.evidence.views import AtEdge, AtWorst, Carried, InTime, OfGoodTrials

PRIOR = Prior(0.05, 10.0)
HARM = BernoulliProcess.start(NullBoundary(), Claim.HARM, PRIOR)
ONE_OF_CONTROL, ONE_BAD = Counts(control=Tally(1)), Counts(candidate=Tally(1, 1))


def one_by_one(process, times):
    for _ in range(times):
        process = process.update(ONE_OF_CONTROL).update(ONE_BAD)
    return process


def test_arms_that_never_meet_in_a_block_are_carried_until_they_do():
    assert HARM.update(ONE_BAD).log_e == pytest.approx(0.0, abs=0.5), "one arm alone says nothing on a ratio"
    carried = one_by_one(Carried(HARM), 12)

    assert carried.peak_log_e > math.log(200)


def test_a_carried_block_is_the_sum_of_what_waited():
    whole = Carried(LabelSwapProcess(), least=3)
    parts = whole
    for _ in range(4):
        parts = parts.update(Counts(Tally(1), Tally(1, 1)))

    assert parts.waiting == Counts(Tally(1), Tally(1, 1))
    assert parts.process == LabelSwapProcess().update(Counts(Tally(3), Tally(3, 3)))


def test_a_further_edge_that_is_not_there_says_nothing():
    process = AtEdge(HARM, index=1)

    assert process.update(Counts(Tally(50), Tally(50, 50))) == process


def test_a_further_edge_sees_its_own_tallies():
    at = EdgeTallies(Tally(50, 5), Tally(50, 40))
    seen = AtEdge(HARM, index=0).update(Counts(Tally(50), Tally(50), edges=(at,)))

    assert seen.process == HARM.update(Counts(at.control, at.candidate))


def test_good_trials_are_the_others_with_the_arms_in_each_others_place():
    shown = OfGoodTrials(HARM).shown(Counts(Tally(10, 2), Tally(20, 5)))

    assert (shown.control, shown.candidate) == (Tally(20, 15), Tally(10, 8))


def test_a_pooled_view_of_good_trials_takes_all_of_stable():
    seen = Counts(Tally(10, 2), Tally(20, 5), stable=Tally(90, 8), shared=True)

    assert OfGoodTrials(HARM, pooled=True).shown(seen).candidate == Tally(100, 90)


def test_both_speak_with_the_weaker_voice():
    silent = LabelSwapProcess()
    both = BothProcess(HARM, silent).update(Counts(Tally(50, 1), Tally(50, 30)))

    assert both.log_e == min(both.first.log_e, both.second.log_e)
    assert both.peak_log_e == max(0.0, both.log_e)


def test_a_mean_loses_no_more_than_the_logarithm_of_how_many_it_spreads_over():
    parts = (HARM, AtEdge(HARM, 0), AtEdge(HARM, 1))
    mean = MeanProcess(parts).update(Counts(Tally(50, 1), Tally(50, 30)))

    assert mean.log_e >= mean.parts[0].log_e - math.log(3)


LEFT = Counts(Tally(9, 1), Tally(8, 0), stable=Tally(90, 2), abandoned=Abandoned(3, 4, 5, late=2))


def test_at_worst_the_candidate_hung_where_its_callers_left_beyond_the_controls_edge():
    shown = AtWorst(HARM).shown(LEFT)

    assert (shown.control, shown.candidate) == (Tally(9, 1), Tally(10, 2))


def test_whoever_left_was_not_answered_in_time_on_either_arm():
    shown = InTime(HARM).shown(LEFT)

    assert (shown.control, shown.candidate, shown.stable) == (Tally(12, 4), Tally(12, 4), Tally(95, 7))


PROCESSES = [
    pytest.param(Carried(HARM, least=2), id="carried"),
    pytest.param(BothProcess(HARM, LabelSwapProcess(1.1)), id="both"),
    pytest.param(MeanProcess((HARM, AtEdge(HARM, 0))), id="mean"),
    pytest.param(OfGoodTrials(ContrastProcess(NullBoundary(), Claim.HARM, Measure.RATE)), id="good"),
    pytest.param(Carried(AtWorst(HARM), least=2), id="at-worst"),
    pytest.param(InTime(HARM), id="in-time"),
    pytest.param(MeanSwapProcess(1.1), id="mean-swap"),
    pytest.param(LabelSwapProcess(1.0), id="label-swap"),
]


@pytest.mark.parametrize("process", PROCESSES)
def test_restoring_at_every_block_changes_nothing(process):
    draw = random.Random(5)
    straight = restored = fresh = process
    for _ in range(25):
        control, candidate = draw.randrange(4), draw.randrange(4)
        block = Counts(
            Tally(control, draw.randint(0, control), draw.random() * control),
            Tally(candidate, draw.randint(0, candidate), draw.random() * candidate),
            edges=(EdgeTallies(Tally(2, 1), Tally(3, 2)),),
            abandoned=Abandoned(draw.randrange(3), 2, 4, late=draw.randrange(2)),
        )
        straight = straight.update(block)
        restored = fresh.restored(json.loads(json.dumps(restored.update(block).to_state())))
        assert restored == straight


@pytest.mark.parametrize("process", [LabelSwapProcess(), MeanSwapProcess()])
def test_equal_arms_of_heavy_tails_are_seldom_told_apart(process):
    """Exchangeable arms with bursts: at a level of one in twenty, hardly more than that many of 300 runs."""
    draw, crossed = random.Random(11), 0
    for _ in range(300):
        run = process
        for _ in range(60):
            counts = []
            for _ in range(2):
                bad = sum(draw.random() < (0.5 if draw.random() < 0.1 else 0.02) for _ in range(10))
                counts.append(Tally(10, bad, total=sum(draw.paretovariate(1.2) for _ in range(10))))
            run = run.update(Counts(*counts))
        crossed += run.peak_log_e >= math.log(20)

    assert crossed <= 24


def test_a_candidate_that_is_worse_in_a_few_large_heaps_is_caught():
    """Better in most blocks and twice as bad in the mean: a coin that only looks at signs would never say so."""
    draw, process = random.Random(2), LabelSwapProcess()
    for _ in range(400):
        candidate = 40 if draw.random() < 0.2 else 0
        process = process.update(Counts(Tally(50, draw.randint(2, 6)), Tally(50, candidate)))

    assert process.peak_log_e > math.log(200)
