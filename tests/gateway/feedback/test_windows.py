"""A user counts once per arm and day, with every label of the window that the first answer opened."""

from collections import Counter

import pytest

from pitwall_crds.names import Arm, Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.ledger import Ledger, LedgerRule
from pitwall_gateway.feedback.shelf import FEW, PlaceRule
from pitwall_gateway.feedback.windows import DAY_SECONDS, USER, WindowRule, Windows
from pitwall_gateway.values.speaker import Party

STABLE = ArmSeries("uniform-v1", Arm.STABLE)
CANDIDATE = ArmSeries("aks-v2", Arm.CANDIDATE)
WINDOW = 60.0


def who(name: str) -> Party:
    return Party("app", name)


def follow_up(ledger):
    asked, trials = ledger.asked("visit", 5)
    return trials + ledger.settle(asked, 5, answered=True)


class NamedUsers:
    """Windows of users, each known by a caller's word."""

    def __init__(self, capacity, **places):
        self.windows = Windows(WindowRule(USER, WINDOW, DAY_SECONDS, capacity), PlaceRule(**places))
        self.sweep = self.windows.sweep

    def answered(self, party, series, now):
        self.windows.answered(party.person, series, party, now)

    def complained(self, party, series, signal):
        self.windows.complained(party.person, series, signal)


@pytest.fixture
def users():
    return NamedUsers(capacity=3)


def told(trials):
    """Trials of users as comparable words."""
    return Counter(
        (trial.series.arm, trial.signal.value, trial.outcome.value) for trial in trials if trial.unit == "user"
    )


def test_nobody_counts_before_the_window_has_passed(users):
    users.answered(who("ann"), CANDIDATE, 0)
    users.complained(who("ann"), CANDIDATE, Signal.THUMBS_DOWN)

    assert users.sweep(WINDOW - 0.1) == []


def test_then_a_user_counts_once_for_every_signal_whatever_the_number_of_labels(users):
    for now in (0, 10, 20):
        users.answered(who("ann"), CANDIDATE, now)
        users.complained(who("ann"), CANDIDATE, Signal.THUMBS_DOWN)

    assert told(users.sweep(WINDOW)) == {
        ("candidate", "thumbs_down", "bad"): 1,
        ("candidate", "follow_up", "good"): 1,
        ("candidate", "task_abandoned", "good"): 1,
    }
    users.answered(who("ann"), CANDIDATE, WINDOW + 1)
    assert users.sweep(5 * WINDOW) == []


def test_the_next_day_a_user_counts_again(users):
    users.answered(who("ann"), CANDIDATE, 0)
    users.sweep(DAY_SECONDS)
    users.answered(who("ann"), CANDIDATE, DAY_SECONDS)

    assert len(users.sweep(DAY_SECONDS + WINDOW)) == len(Signal)


def test_a_user_who_crosses_over_counts_on_the_first_arm_alone(users):
    """By what was said there: were those counted again who are moved, arms would be of different people."""
    users.answered(who("ann"), STABLE, 0)
    users.answered(who("ann"), CANDIDATE, 1)
    users.complained(who("ann"), CANDIDATE, Signal.FOLLOW_UP)

    assert told(users.sweep(WINDOW + 1)) == {("stable", signal.value, "good"): 1 for signal in Signal}
    assert users.sweep(2 * WINDOW + 1) == []


def test_a_label_after_the_window_changes_nothing(users):
    users.answered(who("ann"), STABLE, 0)
    users.sweep(WINDOW)
    users.complained(who("ann"), STABLE, Signal.THUMBS_DOWN)

    assert users.sweep(10 * WINDOW) == []


def test_memory_is_bounded_and_who_came_first_stays(users):
    for number in range(5):
        users.answered(who(f"user-{number}"), STABLE, number)

    assert len(users.sweep(WINDOW + 9)) == 3 * len(Signal)


RUN = ArmSeries("uniform-v1", Arm.STABLE, "run-1")


def test_who_counts_for_nothing_takes_no_place_of_those_who_count(users):
    for number in range(9):
        users.answered(who(f"capped-{number}"), STABLE, 0)
    for number in range(9):
        users.answered(who(f"user-{number}"), RUN, 1)

    assert Counter(trial.series.run for trial in users.sweep(WINDOW + 1)) == {"": 3 * 3, "run-1": 3 * 3}
    users.sweep(DAY_SECONDS + 2)
    for number in range(9):
        users.answered(who(f"user-{number}"), RUN, DAY_SECONDS + 2)
    assert len(users.sweep(DAY_SECONDS + 2 + WINDOW)) == 3 * len(Signal)


def test_a_caller_with_a_share_has_that_part_of_the_places_and_again_when_they_are_free():
    users = NamedUsers(100, caller=lambda caller: 0.2 if caller == "small" else 1.0)

    def counted(now):
        for number in range(300):
            users.answered(Party("small", f"small-{number}"), RUN, now)
        for number in range(300):
            users.answered(who(f"user-{number}"), RUN, now)
        return Counter(trial.party.caller for trial in users.sweep(now + WINDOW))

    assert counted(0) == {"small": 20 * len(Signal), "app": 80 * len(Signal)}
    users.sweep(DAY_SECONDS)
    assert counted(DAY_SECONDS) == {"small": 20 * len(Signal), "app": 80 * len(Signal)}


@pytest.mark.parametrize("series", [RUN, STABLE])
def test_a_user_who_invents_sessions_has_a_part_of_the_places(series):
    sessions = Windows(WindowRule("session", WINDOW, DAY_SECONDS, 100), PlaceRule(user=0.05))
    for number in range(300):
        sessions.answered(f"session {number}", series, who("ann"), 0)
    for number in range(60):
        sessions.answered(f"bob's {number}", series, who(f"bob {number % 30}"), 0)

    persons = Counter(trial.party.person for trial in sessions.sweep(WINDOW))
    assert persons.pop(who("ann").person) == FEW * len(Signal)
    assert len(persons) == 30


def test_sessions_that_name_no_user_are_no_single_users():
    sessions = Windows(WindowRule("session", WINDOW, DAY_SECONDS, 100), PlaceRule(user=0.05))
    for number in range(300):
        sessions.answered(f"session {number}", RUN, Party("app"), 0)

    assert len(sessions.sweep(WINDOW)) == 100 * len(Signal)


def test_callers_without_a_name_are_nobodys_users(users):
    users.answered(who(""), STABLE, 0)

    assert users.sweep(WINDOW) == []


@pytest.mark.parametrize(
    ("complain", "signal"),
    [
        pytest.param(lambda ledger: ledger.thumb("a", 1, down=True), Signal.THUMBS_DOWN, id="thumb"),
        pytest.param(follow_up, Signal.FOLLOW_UP, id="follow-up"),
        pytest.param(lambda ledger: ledger.task("visit", abandoned=True), Signal.TASK_ABANDONED, id="task"),
        pytest.param(lambda ledger: ledger.thumb("a", 1, down=False), None, id="thumbs-up"),
        pytest.param(lambda ledger: ledger.task("visit", abandoned=False), None, id="task-done"),
    ],
)
def test_labels_of_an_answer_and_of_a_session_are_their_users(complain, signal):
    ledger = Ledger(LedgerRule(window_seconds=10, user_seconds=WINDOW, keep_seconds=100))
    ledger.answered("a", "visit", CANDIDATE, 0, who("ann"))
    complain(ledger)

    found = {trial.signal: trial.outcome for trial in ledger.sweep(WINDOW) if trial.unit == "user"}

    assert found == {each: Outcome.BAD if each is signal else Outcome.GOOD for each in Signal}


def test_a_user_of_another_run_is_another_user(users):
    for run in ("run-1", "run-2"):
        users.answered(who("ann"), ArmSeries("aks-v2", Arm.CANDIDATE, run), 0)
    users.complained(who("ann"), ArmSeries("aks-v2", Arm.CANDIDATE, "run-1"), Signal.FOLLOW_UP)

    bad = {trial.series.run for trial in users.sweep(WINDOW) if trial.outcome is Outcome.BAD}

    assert bad == {"run-1"}


def sessions(*events):
    """What a session is counted as at last, by signal, after events of a ledger with a window of 10 s."""
    ledger, found = Ledger(LedgerRule(window_seconds=10, user_seconds=WINDOW, keep_seconds=1000)), []
    for now, event in (*events, (200, lambda ledger: [])):
        found += [(now, trial) for trial in ledger.sweep(now)]
        found += [(now, trial) for trial in event(ledger) or []]
    return {trial.signal.value: (now, trial.outcome.value) for now, trial in found if trial.unit == "session"}


def answer(name, session="visit", series=CANDIDATE, now=0):
    return lambda ledger: ledger.answered(name, session, series, now, who("ann"))


def thumb(name, down):
    return lambda ledger: ledger.thumb(name, 0, down=down).trials


def task(*, abandoned):
    return lambda ledger: ledger.task("visit", abandoned=abandoned) and []


NOTHING = (49.9, lambda ledger: [])
JUDGED = (50, lambda ledger: [])


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        pytest.param([(0, answer("a"))], {"follow_up": "good"}, id="silence"),
        pytest.param([(0, answer("a")), (9, follow_up)], {"follow_up": "bad"}, id="a further question"),
        pytest.param(
            [(0, answer("a")), (1, thumb("a", False))], {"follow_up": "good", "thumbs_down": "good"}, id="a thumb up"
        ),
        pytest.param(
            [(0, answer("a")), (1, thumb("a", True))], {"follow_up": "good", "thumbs_down": "bad"}, id="a thumb down"
        ),
        pytest.param(
            [(0, answer("a")), (30, answer("b", now=30)), (31, thumb("a", False)), (40, thumb("b", True))],
            {"follow_up": "good", "thumbs_down": "bad"},
            id="both",
        ),
        pytest.param(
            [(0, answer("a")), (1, task(abandoned=True))],
            {"follow_up": "good", "task_abandoned": "bad"},
            id="a task given up",
        ),
        pytest.param(
            [(0, answer("a")), (40, task(abandoned=False))],
            {"follow_up": "good", "task_abandoned": "good"},
            id="a task done",
        ),
    ],
)
def test_a_session_counts_once_good_or_bad_at_the_same_moment_after_its_first_answer(events, counted):
    """Were a bad one known at once and a good one at its end, an arm that grows would look bad all the while."""
    assert sessions(*events, NOTHING, JUDGED) == {signal: (50, outcome) for signal, outcome in counted.items()}


def test_what_is_said_later_in_a_session_is_not_weighed():
    said = (51, thumb("b", True)), (52, task(abandoned=True))
    late = sessions((0, answer("a")), (45, answer("b", now=45)), JUDGED, *said)

    assert late == {"follow_up": (50, "good")}


@pytest.mark.parametrize("window", [10, 900, 2000])
def test_a_session_that_goes_on_counts_once_and_one_that_comes_back_again(window):
    ledger = Ledger(LedgerRule(window_seconds=window, user_seconds=WINDOW, keep_seconds=5 * window))
    found, now = [], 0.0
    for number in range(40):
        now = number * window * 0.9
        found += ledger.sweep(now) + ledger.answered(str(number), "visit", CANDIDATE, now, who("ann"))
    for later in (now + 6 * window, now + 12 * window):
        found += ledger.sweep(later)
    assert [trial.outcome.value for trial in found if trial.unit == "session"] == ["good"]

    ledger.answered("back", "visit", CANDIDATE, now + 12 * window, who("ann"))
    back = ledger.sweep(now + 18 * window)
    assert [trial.outcome.value for trial in back if trial.unit == "session"] == ["good"]
