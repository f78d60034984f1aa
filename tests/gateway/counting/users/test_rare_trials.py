"""No party has more than a share of what only few trials show, so that no one user alone looks like harm."""

import random

import pytest

from pitwall_crds.names import Arm, CacheResult, Outcome, Quantity, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.users.rare_trials import FIRST, Tails, of_answer, of_end, of_pair
from pitwall_gateway.counting.users.shares import Excess, ShareRule, Shares
from pitwall_gateway.values.answer import VariantAnswer
from pitwall_gateway.values.speaker import Party

CANDIDATE = ArmSeries("aks-v2", Arm.CANDIDATE, "run-1")
SHARE = 0.05


def answered(seconds=0.3, **of_answer_fields):
    fields = {"tokens": 700, "cache": CacheResult.WARM, "selection_seconds": 0.01, "encoder_seconds": 0.02}
    return of_end(End.ANSWERED, seconds), of_answer(VariantAnswer(b"", {}, seconds, **fields | of_answer_fields))


FEW = {
    "slow": answered(seconds=5.0),
    "abandoned": (of_end(End.ABANDONED, 30.0), {}),
    "abandoned at once": (of_end(End.ABANDONED, 0.0), {}),
    "failed": (of_end(End.FAILED, 0.3), {}),
    "cold": answered(cache=CacheResult.COLD),
    "slow to select": answered(selection_seconds=2.0),
    "long in the encoder": answered(encoder_seconds=2.0),
    "large": answered(tokens=4000),
}


def weigh(shares, kind, party, shown):
    """One trial from its beginning to its end; whether it counts."""
    if shares.take(CANDIDATE, kind, party) is not None:
        return False
    shares.opened(CANDIDATE, kind, party)
    shares.ended(CANDIDATE, kind, party, shown[0])
    shares.showed(CANDIDATE, kind, party, shown[1])
    return True


@pytest.mark.parametrize("what", FEW)
@pytest.mark.parametrize("pace", [0.05, 0.5])
def test_of_what_one_in_fifty_shows_a_user_who_always_shows_it_has_a_twentieth(what, pace):
    draw, shares, others, theirs = random.Random(what), Shares(ShareRule(user=SHARE), lambda _: 1.0), 0, 0
    for _ in range(2000):
        shown = FEW[what] if draw.random() < 0.02 else answered()
        counts = weigh(shares, TrialKind.QUESTION, Party("web", f"user-{draw.randrange(300)}"), shown)
        others += counts and shown is FEW[what]
        if draw.random() < pace:
            theirs += weigh(shares, TrialKind.QUESTION, Party("web", "odd"), FEW[what])

    assert others > 20
    assert FIRST <= theirs <= SHARE * (others + theirs) + FIRST


@pytest.mark.parametrize("users", [22, 40, 300])
def test_users_who_differ_by_chance_alone_all_count(users):
    draw, shares, counted = random.Random(users), Shares(ShareRule(user=SHARE), lambda _: 1.0), 0
    for number in range(3000):
        shown = answered(seconds=draw.lognormvariate(-1, 0.7), tokens=round(draw.lognormvariate(6, 0.5)))
        counted += weigh(shares, TrialKind.QUESTION, Party("web", f"user-{number % users}"), shown)

    assert counted > 0.9 * 3000


@pytest.mark.parametrize("what", FEW)
def test_where_everything_is_bad_a_few_users_show_it(what):
    shares = Shares(ShareRule(user=SHARE, first_questions=10), lambda _: 1.0)
    counted = sum(
        weigh(shares, TrialKind.QUESTION, Party("web", f"user-{number % 5}"), FEW[what]) for number in range(200)
    )

    assert counted == 50


def test_of_what_a_user_has_open_no_more_counts_than_may_yet_be_slow():
    shares, party = Shares(ShareRule(user=SHARE), lambda _: 1.0), Party("web", "many at once")
    for number in range(500):
        weigh(shares, TrialKind.QUESTION, Party("web", f"user-{number}"), answered())
    taken = []
    for _ in range(8):
        taken.append(shares.take(CANDIDATE, TrialKind.QUESTION, party))
        if taken[-1] is None:
            shares.opened(CANDIDATE, TrialKind.QUESTION, party)

    assert taken == [None] * FIRST + [Excess.USER] * (8 - FIRST)
    shares.ended(CANDIDATE, TrialKind.QUESTION, party, answered()[0])
    assert shares.take(CANDIDATE, TrialKind.QUESTION, party) is None, "what has ended well is no longer in doubt"


def test_a_caller_with_a_share_may_have_as_much_of_what_is_open():
    shares = Shares(ShareRule(user=SHARE), lambda caller: 0.5 if caller == "partner" else 1.0)
    for number in range(100):
        weigh(shares, TrialKind.QUESTION, Party("partner" if number % 2 else "web", f"user-{number}"), answered())
    counted = {"partner": 0, "web": 0}
    for number in range(80):
        caller = "partner" if number % 2 else "web"
        if shares.take(CANDIDATE, TrialKind.QUESTION, Party(caller, f"at-once-{number}")) is None:
            shares.opened(CANDIDATE, TrialKind.QUESTION, Party(caller, f"at-once-{number}"))
            counted[caller] += 1

    assert counted["web"] == 40
    assert counted["partner"] >= 30


@pytest.mark.parametrize(("callers", "share", "at_once"), [(2, 0.6, 2), (2, 0.6, 30), (4, 0.3, 30), (10, 0.2, 30)])
def test_callers_with_shares_that_differ_by_chance_alone_all_count(callers, share, at_once):
    """Where the first three slow ones were one caller's, nobody counted any more: it waited for others to have some,
    and they for it to have more."""
    draw, shares, under_way, counted = random.Random(callers), Shares(ShareRule(user=SHARE), lambda _: share), [], 0
    for number in range(3000):
        party = Party(f"caller-{draw.randrange(callers)}", f"user-{number % 900}")
        if shares.take(CANDIDATE, TrialKind.QUESTION, party) is None:
            shares.opened(CANDIDATE, TrialKind.QUESTION, party)
            under_way.append(party)
            counted += 1
        if len(under_way) >= at_once:
            ended = under_way.pop(draw.randrange(at_once))
            shares.ended(CANDIDATE, TrialKind.QUESTION, ended, of_end(End.ANSWERED, draw.lognormvariate(-1, 0.7)))

    assert counted > 0.93 * 3000


def test_a_caller_with_a_share_has_no_more_of_the_slow_ones_whatever_users_it_invents():
    shares = Shares(ShareRule(user=SHARE), lambda caller: 0.1 if caller == "partner" else 1.0)
    draw, others, theirs = random.Random(1), 0, 0
    for number in range(2000):
        shown = FEW["slow"] if draw.random() < 0.02 else answered()
        others += weigh(shares, TrialKind.QUESTION, Party("web", f"user-{number}"), shown) and shown is FEW["slow"]
        theirs += weigh(shares, TrialKind.QUESTION, Party("partner", f"invented-{number}"), FEW["slow"])

    assert FIRST <= theirs <= 0.1 * (others + theirs) + FIRST


@pytest.mark.parametrize("quantity", [Quantity.TOKENS, Quantity.LATENCY])
@pytest.mark.parametrize("ratio", [1.2, 1 / 1.2], ids=["larger", "smaller"])
def test_of_copies_that_differ_for_one_user_alone_no_more_count_than_first_ones(quantity, ratio):
    """Eleven of 220 were harm in the shadow, where those of all others were as the answers that were copied."""
    draw, shares, counted = random.Random(3), Shares(ShareRule(user=SHARE), lambda _: 1.0), [0, 0]
    for number in range(2000):
        user, shown = ("odd", of_pair(quantity, ratio)) if draw.random() < 0.1 else (f"user-{number % 300}", {})
        shown = shown or of_pair(quantity, 1.0)
        counted[user == "odd"] += weigh(shares, TrialKind.COPY, Party("web", user), (answered()[0], shown))

    assert counted[0] > 1700
    assert counted[1] == FIRST


def test_of_copies_that_differ_for_all_users_those_of_a_few_count_as_before():
    shares = Shares(ShareRule(user=SHARE, first_questions=10), lambda _: 1.0)
    shown = (answered()[0], of_pair(Quantity.TOKENS, 2.0))
    counted = sum(weigh(shares, TrialKind.COPY, Party("web", f"user-{number % 5}"), shown) for number in range(200))

    assert counted == 50


def test_what_is_nobodys_trial_shows_nothing():
    assert of_end(End.REFUSED, 60.0) == of_end(End.UNMEASURED, 60.0) == {}
    assert of_end(End.EXCUSED, 60.0) == {End.ABANDONED: 1.0}, "its wait says nothing"
    assert of_answer(VariantAnswer(b"", {}, 0.3)) == {CacheResult.COLD: 0.0}, "what an answer does not tell is not zero"


def test_who_has_shown_nothing_for_longest_is_forgotten():
    tails = Tails(capacity=2)
    for party in ("a", "b", "c"):
        for _ in range(FIRST):
            tails.ended([party], {"latency": 9.0})

    assert [tails.is_over(party, SHARE, 10) for party in ("a", "b", "c")] == [False, False, False]
    tails.ended([], {"latency": 0.1})
    assert not tails.is_over("a", SHARE, 10)


def test_labels_by_query_of_a_user_who_is_never_content_are_a_twentieth_of_the_bad_ones():
    draw, shares, kind, bad = (
        random.Random(2),
        Shares(ShareRule(user=SHARE), lambda _: 1.0),
        "thumbs_down query",
        [0, 0],
    )
    shares.take(CANDIDATE, TrialKind.QUESTION, Party("web", "user-0"))
    for number in range(2000):
        outcome = Outcome.BAD if draw.random() < 0.1 else Outcome.GOOD
        for place, (user, said) in enumerate([(f"user-{number}", outcome), ("never content", Outcome.BAD)]):
            if shares.take(CANDIDATE, kind, Party("web", user)) is None:
                shares.ended(CANDIDATE, kind, Party("web", user), {said: 1.0})
                bad[place] += said is Outcome.BAD

    assert bad[0] > 150
    assert FIRST <= bad[1] <= SHARE * sum(bad) + FIRST
