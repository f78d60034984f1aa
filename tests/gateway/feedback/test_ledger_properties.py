"""Whatever comes in whatever order, a label counts at most once and on the arm that answered."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_crds.names import Arm, Outcome, Signal
from pitwall_gateway.counting.telemetry import ArmSeries
from pitwall_gateway.feedback.ledger import Ledger, LedgerRule
from pitwall_gateway.feedback.session import QUERY, SESSION, Trial
from pitwall_gateway.values.speaker import Party

ARMS = (ArmSeries("uniform-v1", Arm.STABLE), ArmSeries("aks-v2", Arm.CANDIDATE))
NAMES = st.sampled_from(["", "ann", "bob", "cleo"])
RULE = LedgerRule(window_seconds=10, user_seconds=30, keep_seconds=60, capacity=5)
LONG_AFTER = 1_000_000.0

EVENTS = st.lists(
    st.tuples(st.just("question"), NAMES, st.sampled_from(ARMS))
    | st.tuples(st.just("thumb"), st.integers(0, 12), st.booleans())
    | st.tuples(st.just("task"), NAMES, st.booleans())
    | st.tuples(st.just("time"), st.floats(0, 40), st.none()),
    max_size=60,
)


@dataclass
class Story:
    """A ledger that is told events one after the other, and all that it counted."""

    rule: LedgerRule = RULE
    now: float = 0.0
    trials: list[Trial] = field(default_factory=list)
    answers: list[tuple[str, ArmSeries]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.rule)

    def tell(self, event) -> None:
        kind, first, second = event
        match kind:
            case "question":
                follow_up, swept = self.ledger.asked(first, self.now)
                self.trials += swept
                if follow_up:
                    self.trials += self.ledger.settle(follow_up, self.now, answered=True)
                answer_id = f"ans-{len(self.answers)}"
                self.answers.append((first, second))
                party = Party("app", first)
                self.trials += self.ledger.answered(answer_id, first, second, self.now, party)
            case "thumb":
                thumbed = self.ledger.thumb(f"ans-{first}", self.now, down=second)
                self.trials += thumbed.trials if thumbed else ()
            case "task":
                self.ledger.task(first, abandoned=second)
            case "time":
                self.now += first
                self.trials += self.ledger.sweep(self.now)

    def end(self) -> Counter:
        """Everything that was counted once every window has passed, by (arm, signal, unit)."""
        self.trials += self.ledger.sweep(LONG_AFTER)
        return Counter((trial.series, trial.signal, trial.unit) for trial in self.trials)


def told(events, rule=RULE):
    story = Story(rule)
    for event in events:
        story.tell(event)
    return story, story.end()


@settings(deadline=None)
@given(EVENTS)
def test_every_answer_of_a_session_has_exactly_one_follow_up_label_and_others_have_none(events):
    story, counts = told(events)

    for arm in ARMS:
        of_sessions = sum(1 for name, series in story.answers if name and series == arm)
        assert counts[arm, Signal.FOLLOW_UP, QUERY] == of_sessions


@settings(deadline=None)
@given(EVENTS)
def test_no_more_thumbs_than_answers_and_no_more_sessions_than_questions(events):
    story, counts = told(events)

    for arm in ARMS:
        answers = [name for name, series in story.answers if series == arm]
        assert counts[arm, Signal.THUMBS_DOWN, QUERY] <= len(answers)
        for signal in Signal:
            assert counts[arm, signal, SESSION] <= sum(1 for name in answers if name)


@settings(deadline=None)
@given(EVENTS)
def test_a_user_counts_once_per_arm_and_day_on_every_signal_alike(events):
    story, counts = told(events)

    for arm in ARMS:
        met = {name for name, series in story.answers if series == arm and name}
        per_signal = {counts[arm, signal, "user"] for signal in Signal}
        assert len(per_signal) == 1, "a user's signals come together"
        assert per_signal.pop() <= len(met)


@settings(deadline=None)
@given(EVENTS, st.integers(1, 3))
def test_saying_everything_again_at_the_same_moment_counts_nothing_more(events, times):
    """A client that repeats its feedback cannot vote twice."""
    once, counted = told(events)
    again = Story()
    for event in events:
        repeats = times if event[0] in ("thumb", "task") else 1
        for _ in range(repeats):
            again.tell(event)

    assert again.end() == counted
    assert [trial.outcome for trial in again.trials] == [trial.outcome for trial in once.trials]


@settings(deadline=None)
@given(EVENTS)
def test_an_arm_that_answered_nobody_is_never_counted(events):
    only_stable = [(kind, first, ARMS[0] if kind == "question" else second) for kind, first, second in events]
    story, _ = told(only_stable)

    assert {trial.series for trial in story.trials} <= {ARMS[0]}
    assert {trial.outcome for trial in story.trials} <= {Outcome.GOOD, Outcome.BAD}


@settings(deadline=None)
@given(EVENTS)
def test_memory_stays_within_its_capacity(events):
    story = Story()
    for event in events:
        story.tell(event)

        known = [story.ledger.thumb(f"ans-{number}", story.now, down=False) for number in range(99)]
        assert sum(each is not None for each in known) <= RULE.capacity
        assert sum(story.ledger.knows_session(name) for name in ("ann", "bob", "cleo")) <= RULE.capacity
