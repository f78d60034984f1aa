"""Harm takes a difference beyond what as many users like these differ by."""

import json
import random
from dataclasses import dataclass, replace
from math import inf, log

import pytest

from pitwall_gateway.counting.users.clusters import Clusters
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.basis.spread import ArmsSpread, SpreadPart, UserSpread
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.clusters import UsersProcess
from pitwall_operator.evidence.conjunction import BothProcess
from pitwall_operator.evidence.label_swap import LabelSwapProcess

PROOF = log(160)
WORSE = Counts(Tally(50, 10), Tally(50, 20))


def by_chance(beyond, users):
    """How often Student's t of so many users is beyond."""
    from scipy import stats

    return stats.t.sf(beyond, users - 1)


def bets():
    return BernoulliProcess.start(NullBoundary(), Claim.HARM, Prior(0.2, 2.0))


def alike(trials=5000, design=1.0, users=5000.0, variance=0.21):
    return (ArmsSpread(*[UserSpread(trials, variance, design, users)] * 2),)


def after(process, blocks):
    for block in blocks:
        process = process.update(block)
    return process


def test_of_whose_users_nothing_is_known_the_bets_alone_decide():
    process = after(UsersProcess(bets()), [WORSE] * 20)

    assert process.log_users == inf
    assert process.log_e == process.process.log_e > PROOF


@pytest.mark.parametrize(("design", "users"), [(1.0, 900.0), (4.0, 900.0), (4.0, 6.0)])
def test_users_say_what_a_t_test_with_their_design_effect_does(design, users):
    process = after(UsersProcess(bets()), [replace(WORSE, spreads=alike(50 * 8, design, users, 0.0))] * 8)
    since = process.since
    error = sum(design * arm.rate * (1 - arm.rate) / arm.trials for arm in (since.control, since.candidate)) ** 0.5

    assert since.candidate.trials >= 350
    assert process.log_users == pytest.approx(-log(by_chance((0.4 - 0.2) / error, users)))


def test_what_few_users_differ_by_is_no_harm_though_the_bets_say_so():
    process = after(UsersProcess(bets()), [replace(WORSE, spreads=alike(400, 60.0, 20.0))] * 8)

    assert process.withholds(PROOF)
    assert process.peak_log_e < PROOF < process.process.peak_log_e


def test_users_who_ask_little_take_nothing_from_the_power():
    draw = random.Random(3)
    for rate in (0.25, 0.3, 0.4):
        alone, asked = bets(), UsersProcess(bets())
        while alone.peak_log_e < PROOF:
            arms = (Tally(50, sum(draw.random() < of_arm for _ in range(50))) for of_arm in (0.2, rate))
            block = replace(Counts(*arms), spreads=alike())
            alone, asked = alone.update(block), asked.update(block)
        assert asked.peak_log_e >= PROOF
        assert not asked.withholds(PROOF)


def test_what_was_well_for_long_does_not_hide_what_is_wrong_now():
    process = after(UsersProcess(bets()), [replace(Counts(Tally(50, 10), Tally(50, 10)), spreads=alike())] * 500)
    late = [replace(WORSE, spreads=alike())] * 12

    assert after(process, late).log_users > PROOF


def test_of_several_edges_one_must_differ_and_the_level_is_divided_among_them():
    same = EdgeTallies(Tally(50, 10), Tally(50, 10))
    lone = after(UsersProcess(bets()), [replace(WORSE, spreads=alike(variance=0.0))] * 8)
    block = replace(WORSE, edges=(same, same), spreads=alike(variance=0.0) * 3)

    assert after(UsersProcess(bets()), [block] * 8).log_users == pytest.approx(lone.log_users - log(3))


def test_an_edge_of_which_nothing_is_known_does_not_count():
    at = EdgeTallies(WORSE.control, WORSE.candidate)
    block = replace(WORSE, edges=(at,), spreads=(*alike(400, 60.0, 20.0), ArmsSpread()))

    assert after(UsersProcess(bets()), [block] * 8).withholds(PROOF)


def test_all_of_stable_is_the_control_where_that_is_alike():
    alone = replace(WORSE, spreads=alike(400))
    shared = replace(WORSE, stable=Tally(5000, 1000), shared=True, spreads=alike(400))
    few, many = (after(UsersProcess(bets()), [block] * 8).log_users for block in (alone, shared))

    assert many > few


@pytest.mark.parametrize(("design", "users", "proven"), [(1.0, 900.0, True), (30.0, 20.0, False)])
def test_that_it_is_no_worse_few_users_do_not_show_either(design, users, proven):
    boundary = NullBoundary(ratio=2.0)
    bets = BernoulliProcess.start(boundary, Claim.NON_INFERIOR, Prior(0.2, 2.0))
    block = Counts(Tally(50, 10), Tally(50, 10), edges=(EdgeTallies(),), spreads=alike(400, design, users, 0.0) * 2)
    process = after(UsersProcess(bets, boundary, Claim.NON_INFERIOR), [block] * 8)
    error = (5 * design * 0.2 * 0.8 / 400) ** 0.5  # of b - 2a

    assert process.process.log_e > log(20)
    assert process.log_users == pytest.approx(-log(2 * by_chance((2 * 0.2 - 0.2) / error, users)))
    assert (process.peak_log_e >= log(20)) is proven


def test_a_state_loses_nothing_and_one_that_asked_no_users_is_taken_over():
    process = after(UsersProcess(bets()), [replace(WORSE, spreads=alike(400, 2.0, 20.0))] * 8)
    state = json.loads(json.dumps(process.to_state()))

    assert UsersProcess(bets()).restored(state) == process
    old = UsersProcess(bets()).restored(process.process.to_state())
    assert (old.process, old.peak_log_e) == (process.process, process.process.peak_log_e)


def test_arms_of_few_users_who_differ_are_not_taken_for_harm():
    """Forty users on each arm, each of whom has questions of one kind, bad or not: blocks are independent given the
    users, and yet the coin falls for one arm in every one of them."""
    alone = asked = 0
    for seed in range(60):
        draw = random.Random(seed)
        rates = [[draw.betavariate(0.5, 0.5) for _ in range(40)] for _ in range(2)]
        clusters = (Clusters(), Clusters())
        process = UsersProcess(BothProcess(LabelSwapProcess(), bets()))
        for _ in range(40):
            arms = []
            for of_arm, mine in zip(rates, clusters, strict=True):
                shown = [(user, draw.random() < of_arm[user]) for user in draw.choices(range(40), k=40)]
                for user, bad in shown:
                    mine.showed(f"user-{user}", {"error": float(bad)})
                arms.append(Tally(40, sum(bad for _, bad in shown)))
            spread = ArmsSpread(*(_told(mine) for mine in clusters))
            process = process.update(Counts(*arms, spreads=(spread,)))
        alone += process.process.peak_log_e >= PROOF
        asked += process.peak_log_e >= PROOF

    assert alone > 6
    assert asked <= 1


def shown_by(clusters, each):
    """Trials of one block, so many of each user; the tally of them."""
    tally = Tally()
    for user, value in each:
        clusters.showed(user, {"tokens": value})
        tally += Tally(1, 0, value)
    return tally


@pytest.mark.parametrize("hostile", [0, 1, 2])
def test_no_user_and_no_two_withhold_harm_for_ever(hostile):
    """Each of them asks a twentieth of an arm's questions, and shows nothing in any of them."""
    draw, boundary = random.Random(11), NullBoundary(ratio=1.1)
    arms, process = (Clusters(), Clusters()), UsersProcess(Proven(), boundary)
    for block in range(40):
        tallies = []
        for clusters, mean in zip(arms, (1000.0, 1300.0), strict=True):
            each = [(f"user-{user}", draw.lognormvariate(0, 0.5) * mean) for user in range(block % 2, 400, 2)]
            each += [(f"odd-{user}", 0.0) for user in range(hostile) for _ in range(11)]
            tallies.append(shown_by(clusters, each))
        process = process.update(Counts(*tallies, spreads=(ArmsSpread(*(_told(of, "tokens") for of in arms)),)))
    alone = replace(
        process,
        spreads=tuple(
            ArmsSpread(*(replace(arm, most=0.0) for arm in (s.control, s.candidate))) for s in process.spreads
        ),
    )

    assert process.log_users > PROOF
    assert (alone.log_users > PROOF) is (hostile == 0)


@pytest.mark.parametrize("hostile", [0, 1, 2])
def test_nor_do_they_where_all_others_show_the_same(hostile):
    arms, process = (Clusters(), Clusters()), UsersProcess(Proven(), NullBoundary(ratio=1.1))
    for _ in range(40):
        tallies = [
            shown_by(
                clusters,
                [(f"user-{user}", mean) for user in range(200)]
                + [(f"odd-{user % 2}", 0.0) for user in range(11 * hostile)],
            )
            for clusters, mean in zip(arms, (1000.0, 1300.0), strict=True)
        ]
        process = process.update(Counts(*tallies, spreads=(ArmsSpread(*(_told(of, "tokens") for of in arms)),)))

    assert process.log_users > PROOF


def test_a_user_who_was_left_out_and_is_gone_makes_no_twin_harmful():
    """Bets begin when the user has gone, who showed nothing in a twelfth of the candidate's questions."""
    for seed in range(4):
        draw, arms, process = random.Random(seed), (Clusters(), Clusters()), UsersProcess(Proven(0.0))
        for block in range(60):
            tallies = []
            for clusters, odd in zip(arms, (0, 9 if block < 30 else 0), strict=True):
                each = [(f"user-{user}", draw.lognormvariate(0, 0.3)) for user in range(block % 2, 200, 2)]
                tallies.append(shown_by(clusters, each + [("odd", 0.0)] * odd))
            process = replace(process, process=Proven(0.0 if block < 30 else 1000.0))
            process = process.update(Counts(*tallies, spreads=(ArmsSpread(*(_told(of, "tokens") for of in arms)),)))

        assert process.spreads[0].candidate.shift > 0.03
        assert process.log_users < PROOF


def test_most_users_are_not_asked_for_passing():
    """Whoever makes an arm vary holds it then."""
    boundary = NullBoundary(ratio=2.0)
    told = [replace(spread, most=1.0) for spread in (alike(400, 60.0, 20.0)[0].control,) * 2]
    few, most = (
        UsersProcess(bets(), boundary, Claim.NON_INFERIOR).update(
            Counts(Tally(400, 80), Tally(400, 80), spreads=(ArmsSpread(*arms),))
        )
        for arms in ([alike(400, 60.0, 20.0)[0].control] * 2, told)
    )

    assert few.log_users == most.log_users


def test_where_one_arm_does_not_tell_of_most_users_all_are_asked():
    spread = alike(400, 60.0, 20.0)[0].control
    block = replace(WORSE, spreads=(ArmsSpread(spread, replace(spread, most=1.0)),))

    assert after(UsersProcess(bets()), [block] * 8).withholds(PROOF)


@dataclass(frozen=True)
class Proven:
    """Bets that have proven all."""

    log_e: float = 1000.0
    peak_log_e: float = 1000.0

    def update(self, counts):
        return self


def _told(clusters, name="error"):
    told = [error for of, error in clusters.errors() if of == name][:1]
    users = dict(clusters.users())[name]
    return UserSpread.pooled(
        SpreadPart(
            error.trials,
            error.of_trials,
            error.of_users,
            users,
            *((error.most.shift, error.most.of_users, error.most.of_trials) if error.most else ()),
        )
        for error in told
    )
