"""Which feedback counts, when, and how often."""

from collections import Counter

import pytest

from pitwall_crds.names import Arm, Outcome
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.ledger import Ledger, LedgerRule, Thumbed

STABLE = ArmSeries("uniform-v1", Arm.STABLE)
CANDIDATE = ArmSeries("aks-v2", Arm.CANDIDATE)
WINDOW = 10.0


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(LedgerRule(window_seconds=WINDOW, keep_seconds=100, capacity=3))


def asks(ledger, session, now):
    """A question of this session that is answered at once, and what it settles."""
    follow_up, trials = ledger.asked(session, now)
    return trials + (ledger.settle(follow_up, now, answered=True) if follow_up else [])


def told(trials):
    """Trials as comparable words."""
    return Counter((trial.signal.value, trial.unit, trial.outcome.value) for trial in trials)


def test_a_further_question_within_the_window_is_a_bad_follow_up(ledger):
    ledger.answered("a", "ann", STABLE, 0)

    trials = asks(ledger, "ann", WINDOW - 1)

    assert told(trials) == {("follow_up", "query", "bad"): 1}


def test_a_window_that_passes_is_a_good_follow_up(ledger):
    ledger.answered("a", "ann", STABLE, 0)

    assert ledger.sweep(WINDOW - 0.1) == []
    assert told(ledger.sweep(WINDOW)) == {("follow_up", "query", "good"): 1}
    assert ledger.sweep(WINDOW + 1) == []


def test_a_question_after_the_window_is_no_follow_up_even_if_no_sweep_came_between(ledger):
    ledger.answered("a", "ann", STABLE, 0)

    trials = asks(ledger, "ann", WINDOW + 1)

    assert {trial.outcome for trial in trials} == {Outcome.GOOD}


def test_a_session_counts_one_bad_follow_up_however_often_it_asks(ledger):
    trials = []
    for number in range(4):
        trials += asks(ledger, "ann", number)
        trials += ledger.answered(str(number), "ann", STABLE, number)
    trials += ledger.sweep(99)

    assert told(trials) == {
        ("follow_up", "query", "bad"): 3,
        ("follow_up", "query", "good"): 1,
        ("follow_up", "session", "bad"): 1,
    }


def test_a_question_of_another_session_is_no_follow_up(ledger):
    ledger.answered("a", "ann", STABLE, 0)

    assert asks(ledger, "bob", 1) == []


def test_a_caller_without_session_has_thumbs_but_no_follow_up(ledger):
    ledger.answered("a", "", STABLE, 0)

    assert told(ledger.thumb("a", 1, down=True).trials) == {("thumbs_down", "query", "bad"): 1}
    assert ledger.sweep(1_000) == []


def test_a_thumb_counts_once_and_the_first_stands(ledger):
    ledger.answered("a", "", STABLE, 0)
    ledger.thumb("a", 1, down=True)

    assert ledger.thumb("a", 2, down=True) == Thumbed(is_new=False)
    assert ledger.thumb("a", 2, down=False) == Thumbed(is_new=False)


def test_of_thumbs_that_come_later_than_the_window_no_question_is_judged(ledger):
    """After a change of weight stable would have late praise from when it was large, and the candidate none."""
    window = ledger.rule.window_seconds
    for name in ("in time", "too late"):
        ledger.answered(name, "", STABLE, 0)

    assert told(ledger.thumb("in time", window, down=False).trials) == {("thumbs_down", "query", "good"): 1}
    assert ledger.thumb("too late", window + 0.1, down=False) == Thumbed(is_new=True)


def test_a_thumb_on_an_unknown_answer_is_told_from_a_repeated_one(ledger):
    assert ledger.thumb("never", 1, down=True) is None


def test_a_user_who_crosses_to_another_arm_begins_a_new_session_there(ledger):
    ledger.answered("a", "ann", STABLE, 0)
    asks(ledger, "ann", 1)
    ledger.answered("b", "ann", CANDIDATE, 2)

    late = ledger.sweep(2 + WINDOW)

    assert {(trial.series, trial.unit) for trial in late} == {(CANDIDATE, "query")}
    judged = [trial for trial in ledger.sweep(1 + 5 * WINDOW + 1) if trial.unit == "session"]
    assert {(trial.series, trial.outcome.value) for trial in judged} == {(STABLE, "bad")}


def test_a_follow_up_counts_against_the_answer_it_follows_not_the_one_to_come(ledger):
    ledger.answered("a", "ann", CANDIDATE, 0)

    assert {trial.series for trial in asks(ledger, "ann", 1)} == {CANDIDATE}


@pytest.mark.parametrize(("abandoned", "outcome"), [(True, "bad"), (False, "good")])
def test_a_task_counts_once_for_its_session(ledger, abandoned, outcome):
    ledger.answered("a", "ann", STABLE, 0)

    assert ledger.task("ann", abandoned=abandoned) is True
    assert ledger.task("ann", abandoned=not abandoned) is False
    assert ledger.task("bob", abandoned=True) is None
    judged = [trial for trial in ledger.sweep(5 * WINDOW + 1) if trial.signal == "task_abandoned"]
    assert {(trial.unit, trial.outcome.value) for trial in judged} == {("session", outcome)}


def test_memory_is_bounded_and_the_oldest_answers_go_first(ledger):
    for number in range(5):
        ledger.answered(str(number), f"user-{number}", STABLE, 0)

    known = [ledger.thumb(str(number), 1, down=True) is not None for number in range(5)]

    assert known == [False, False, True, True, True]
    assert [ledger.knows_session(f"user-{number}") for number in range(5)] == known


def test_what_is_too_old_is_forgotten(ledger):
    ledger.answered("a", "ann", STABLE, 0)
    ledger.sweep(101)

    assert ledger.thumb("a", 101, down=True) is None
    assert not ledger.knows_session("ann")


def test_a_session_that_goes_on_is_kept_while_an_older_quiet_one_goes(ledger):
    ledger.answered("a", "ann", STABLE, 0)
    ledger.answered("b", "bob", STABLE, 1)
    for now in range(5, 105, 5):
        asks(ledger, "ann", now)
        ledger.answered(f"a{now}", "ann", STABLE, now)
    ledger.sweep(105)

    assert ledger.knows_session("ann")
    assert not ledger.knows_session("bob")


def test_labels_count_on_the_run_of_their_answer_and_a_session_ends_with_its_run(ledger):
    runs = [ArmSeries("aks-v2", Arm.CANDIDATE, run) for run in ("run-1", "run-2")]
    ledger.answered("a", "ann", runs[0], 0)
    ended = ledger.answered("b", "ann", runs[1], 1)
    thumbed = ledger.thumb("a", 2, down=True)

    assert {(trial.series.run, trial.outcome) for trial in ended} == {("run-1", Outcome.GOOD)}
    assert {trial.series.run for trial in thumbed.trials} == {"run-1"}


def test_a_question_that_nobody_answered_is_no_follow_up_and_leaves_the_window_as_it_was(ledger):
    ledger.answered("a", "ann", STABLE, 0)
    refused, _ = ledger.asked("ann", 5)

    assert ledger.settle(refused, 6, answered=False) == []
    assert told(ledger.sweep(WINDOW)) == {("follow_up", "query", "good"): 1}


@pytest.mark.parametrize(("answered", "outcome"), [(True, "bad"), (False, "good")])
def test_a_question_that_outlasts_the_window_is_settled_by_its_end(ledger, answered, outcome):
    ledger.answered("a", "ann", STABLE, 0)
    slow, _ = ledger.asked("ann", WINDOW - 1)

    assert ledger.sweep(WINDOW + 1) == []
    settled = ledger.settle(slow, WINDOW + 5, answered=answered)
    assert told(settled) == {("follow_up", "query", outcome): 1}
