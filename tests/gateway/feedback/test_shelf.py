"""What is pushed out of memory, and by whom: what counts by what counts, and no caller's things by another's share."""

import pytest

from pitwall_crds.names import Arm, Outcome
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.ledger import Ledger, LedgerRule
from pitwall_gateway.feedback.shelf import PlaceRule
from pitwall_gateway.values.speaker import Party

COUNTS, CAPPED = ArmSeries("aks-v2", Arm.CANDIDATE, "run-1"), ArmSeries("aks-v2", Arm.CANDIDATE)
ANN = Party("app", "ann")
CAPACITY = 100


@pytest.fixture
def ledger():
    shares = {"small": 0.2, "smallest": 0.0}
    places = PlaceRule(lambda caller: shares.get(caller, 1.0), user=0.2)
    return Ledger(LedgerRule(10, 60, 1000, CAPACITY), places)


def flood(ledger, series, caller, number=300, person=""):
    for one in range(number):
        party = Party(caller, person or f"{caller} {one}")
        ledger.answered(f"{caller} {one}", f"{caller} visit {one}", series, 1, party)


def thumbs_of(ledger, caller, number=300):
    return sum(ledger.thumb(f"{caller} {one}", 2, down=True) is not None for one in range(number))


@pytest.mark.parametrize(
    ("series", "caller", "person"),
    [
        pytest.param(CAPPED, "app", "", id="answers that count for nothing"),
        pytest.param(COUNTS, "small", "", id="those of a caller with a share"),
        pytest.param(COUNTS, "smallest", "", id="those of a caller without any"),
        pytest.param(COUNTS, "app", "eve", id="those of one user in invented sessions"),
    ],
)
def test_what_counts_is_pushed_out_neither_by_what_does_not_nor_beyond_a_share(ledger, series, caller, person):
    ledger.answered("hers", "her visit", COUNTS, 0, ANN)
    flood(ledger, series, caller, person=person)

    follow_up, _ = ledger.asked("her visit", 2)
    [followed] = ledger.settle(follow_up, 3, answered=True)
    assert (followed.series, followed.outcome) == (COUNTS, Outcome.BAD)
    assert ledger.thumb("hers", 3, down=True)
    assert ledger.task("her visit", abandoned=True)


@pytest.mark.parametrize(
    ("series", "caller"),
    [(CAPPED, "app"), (COUNTS, "app"), (COUNTS, "small"), (COUNTS, "smallest")],
)
def test_the_latest_answers_take_thumbs_whether_they_count_or_not(ledger, series, caller):
    flood(ledger, series, caller)

    assert thumbs_of(ledger, caller) == CAPACITY
    assert ledger.knows_session(f"{caller} visit 299")


def test_beside_all_that_counts_there_is_a_quarter_as_much_room_for_the_rest(ledger):
    flood(ledger, CAPPED, "rest")
    flood(ledger, COUNTS, "app")
    flood(ledger, CAPPED, "rest")

    assert [thumbs_of(ledger, caller) for caller in ("app", "rest")] == [CAPACITY, CAPACITY // 4]
    assert ledger.knows_session("rest visit 299")


def test_a_caller_has_its_part_again_when_what_was_in_it_is_forgotten(ledger):
    flood(ledger, COUNTS, "small")
    ledger.sweep(2000)
    ledger.answered("hers", "her visit", COUNTS, 2000, ANN)
    flood(ledger, COUNTS, "small", 19)

    assert thumbs_of(ledger, "small") == 19
    assert not ledger._answers._aside


def test_a_session_of_two_users_is_its_last_ones_and_takes_a_place_of_its_first_one(ledger):
    for person in ("ann", "bob"):
        asked, _ = ledger.asked("visit", 0)
        told = ledger.settle(asked, 0, answered=True) if asked else []
        ledger.answered(person, "visit", COUNTS, 0, Party("app", person))

    assert [trial.party.person for trial in told] == ["ann"]
    assert [trial.party.person for trial in ledger.sweep(10)] == ["bob"]
    ledger.sweep(2000)
    assert not ledger._sessions._parts._persons


def test_a_session_whose_further_answers_do_not_count_goes_on(ledger):
    ledger.answered("first", "visit", COUNTS, 0, ANN)
    first, _ = ledger.asked("visit", 1)
    ledger.settle(first, 1, answered=True)
    ledger.answered("second", "visit", CAPPED, 1, ANN)
    second, _ = ledger.asked("visit", 2)

    assert [trial.series for trial in ledger.settle(second, 2, answered=True)] == [CAPPED]
    assert ledger.thumb("first", 2, down=True).trials[0].series == COUNTS
    assert ledger.task("visit", abandoned=False)
