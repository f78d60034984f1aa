"""What is pushed out of memory, and by whom: what counts by what counts, and no caller's things by another's share."""

import pytest

from pitwall_crds.names import Arm, Outcome
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.ledger import Ledger, LedgerRule
from pitwall_gateway.feedback.shelf import FEW
from pitwall_gateway.values.speaker import Party

COUNTS, CAPPED = ArmSeries("aks-v2", Arm.CANDIDATE, "run-1"), ArmSeries("aks-v2", Arm.CANDIDATE)
ANN = Party("app", "ann")
CAPACITY = 100


@pytest.fixture
def ledger():
    shares = {"small": 0.2, "smallest": 0.0}
    return Ledger(LedgerRule(10, 60, 1000, CAPACITY), lambda caller: shares.get(caller, 1.0))


def flood(ledger, series, caller, number=300):
    for one in range(number):
        ledger.answered(f"{caller} {one}", f"{caller} visit {one}", series, 1, Party(caller, f"{caller} {one}"))


def thumbs_of(ledger, caller, number=300):
    return sum(ledger.thumb(f"{caller} {one}", down=True) is not None for one in range(number))


@pytest.mark.parametrize(
    ("series", "caller"),
    [
        pytest.param(CAPPED, "app", id="answers that count for nothing"),
        pytest.param(COUNTS, "small", id="those of a caller with a share"),
        pytest.param(COUNTS, "smallest", id="those of a caller without any"),
    ],
)
def test_what_counts_is_pushed_out_neither_by_what_does_not_nor_beyond_a_callers_share(ledger, series, caller):
    ledger.answered("hers", "her visit", COUNTS, 0, ANN)
    flood(ledger, series, caller)

    follow_up, _ = ledger.asked("her visit", 2)
    [followed] = ledger.settle(follow_up, 3, answered=True)
    assert (followed.series, followed.outcome) == (COUNTS, Outcome.BAD)
    assert ledger.thumb("hers", down=True)
    assert ledger.task("her visit", abandoned=True)


@pytest.mark.parametrize(
    ("series", "caller", "more"),
    [(CAPPED, "app", 0), (COUNTS, "app", 0), (COUNTS, "small", CAPACITY // 5), (COUNTS, "smallest", FEW)],
)
def test_the_latest_answers_take_thumbs_whether_they_count_or_not(ledger, series, caller, more):
    flood(ledger, series, caller)

    assert thumbs_of(ledger, caller) == CAPACITY + more
    assert ledger.knows_session(f"{caller} visit 299")


def test_a_caller_has_its_part_again_when_what_was_in_it_is_forgotten(ledger):
    flood(ledger, COUNTS, "small")
    ledger.sweep(2000)
    ledger.answered("hers", "her visit", COUNTS, 2000, ANN)
    flood(ledger, COUNTS, "small", 19)

    assert thumbs_of(ledger, "small") == 19
    assert not ledger._answers._aside


def test_a_session_whose_further_answers_do_not_count_goes_on(ledger):
    ledger.answered("first", "visit", COUNTS, 0, ANN)
    first, _ = ledger.asked("visit", 1)
    ledger.settle(first, 1, answered=True)
    ledger.answered("second", "visit", CAPPED, 1, ANN)
    second, _ = ledger.asked("visit", 2)

    assert [trial.series for trial in ledger.settle(second, 2, answered=True)] == [CAPPED]
    assert ledger.thumb("first", down=True)[0].series == COUNTS
    assert ledger.task("visit", abandoned=False)
