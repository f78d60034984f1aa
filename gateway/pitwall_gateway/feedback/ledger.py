"""Turns answers, further questions, thumbs and task events into quality trials.

A trial is counted once, when its label is known. Per question: thumbs as they come within the window; a follow-up is
bad when the session's next question arrives within it, good when it passes. Per session and per user, tasks included:
see windows. Pure: time comes in as seconds.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from pitwall_crds.names import Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.session import QUERY, SESSION, Session, Trial
from pitwall_gateway.feedback.shelf import NO_LIMIT, PlaceRule, Shelf
from pitwall_gateway.feedback.windows import DAY_SECONDS, USER, WindowRule, Windows
from pitwall_gateway.values.speaker import NOBODY, Party

SESSION_WINDOWS = 5
"""So many follow-up windows after its first answer a session is judged."""


@dataclass(frozen=True, slots=True)
class LedgerRule:
    """The follow-up window, a user's window, how long answers and sessions are remembered, and how many of those that
    count at most."""

    window_seconds: float = 120.0
    user_seconds: float = 3600.0
    keep_seconds: float = 3600.0
    capacity: int = 100_000

    @property
    def session_seconds(self) -> float:
        """A session's window."""
        return SESSION_WINDOWS * self.window_seconds


@dataclass(slots=True)
class _Answer:
    series: ArmSeries
    session: Session | None
    last_at: float
    party: Party = NOBODY
    thumbed: bool = False


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question under way that may turn out to follow up on these answers of its session."""

    session: Session
    followed: tuple[ArmSeries, ...]


@dataclass(frozen=True, slots=True)
class Thumbed:
    """Whether a thumb is the answer's first, and its trial: none where it came later than the window."""

    is_new: bool
    trials: tuple[Trial, ...] = ()


class Ledger:
    """What is remembered of answers and sessions, in bounded memory."""

    def __init__(self, rule: LedgerRule, places: PlaceRule = NO_LIMIT) -> None:
        """Of the memory for what counts nobody has more than `places` says."""
        self.rule = rule
        self._answers = Shelf[_Answer](rule.capacity, places)
        self._sessions = Shelf[Session](rule.capacity, places)
        self._windows: list[tuple[float, int, Session]] = []
        self._tickets = count()
        self._users = Windows(WindowRule(USER, rule.user_seconds, DAY_SECONDS, rule.capacity), places)
        silent = {Signal.FOLLOW_UP}
        heard = WindowRule(SESSION, rule.session_seconds, rule.keep_seconds, rule.capacity, silent, goes_on=True)
        self._judged = Windows(heard, places)

    def asked(self, session_name: str, now: float) -> tuple[FollowUp | None, list[Trial]]:
        """A question arrived: perhaps a follow-up to every answer of its session whose window is open. They wait for
        how the question ends."""
        trials = self.sweep(now)
        session = self._sessions.get(session_name)
        if session is None or session.closed or not session.open_answers:
            return None, trials
        followed = tuple(session.open_answers)
        session.open_answers.clear()
        return FollowUp(session, followed), trials

    def settle(self, follow_up: FollowUp, now: float, *, answered: bool) -> list[Trial]:
        """The question ended. An answered one was a follow-up; any other leaves all as if it had not been asked."""
        session = follow_up.session
        if not answered and not session.closed:
            session.open_answers.extend(follow_up.followed)
            return []
        if answered:
            self._users.complained(session.party.person, session.series, Signal.FOLLOW_UP)
            self._judged.complained(session.name, session.series, Signal.FOLLOW_UP)
            if not session.closed:
                self._touch(session, now)
        outcome = Outcome.BAD if answered else Outcome.GOOD
        return [Trial(series, Signal.FOLLOW_UP, QUERY, outcome, session.party) for series in follow_up.followed]

    def answered(
        self, answer_id: str, session_name: str, series: ArmSeries, now: float, party: Party = NOBODY
    ) -> list[Trial]:
        """An answer was given; its window opens. A session that changes arm ends, and another begins."""
        session, trials = self._session_for(session_name, series, now, party)
        self._users.answered(party.person, series, party, now)
        if session is not None:
            self._judged.answered(session.name, series, party, now)
            self._touch(session, now)
            session.party = party
            session.open_answers.append(series)
        self._answers.put(answer_id, _Answer(series, session, now, party))
        return trials

    def thumb(self, answer_id: str, now: float, *, down: bool) -> Thumbed | None:
        """What a thumb does: nothing more for a repeated one; None for an unknown answer."""
        answer = self._answers.get(answer_id)
        if answer is None:
            return None
        if answer.thumbed:
            return Thumbed(is_new=False)
        answer.thumbed = True
        name = answer.session.name if answer.session else ""
        if down:
            self._users.complained(answer.party.person, answer.series, Signal.THUMBS_DOWN)
            self._judged.complained(name, answer.series, Signal.THUMBS_DOWN)
        else:
            self._judged.praised(name, answer.series, Signal.THUMBS_DOWN)
        # Later ones would be of arms as large as they were: after a change of weight, late praise of the larger one.
        if now - answer.last_at > self.rule.window_seconds:
            return Thumbed(is_new=True)
        outcome = Outcome.BAD if down else Outcome.GOOD
        trial = Trial(answer.series, Signal.THUMBS_DOWN, QUERY, outcome, answer.party)
        return Thumbed(is_new=True, trials=(trial,))

    def knows_session(self, session_name: str) -> bool:
        """True if a session of this name is remembered."""
        return self._sessions.get(session_name) is not None

    def task(self, session_name: str, *, abandoned: bool) -> bool | None:
        """A task was finished or abandoned, which counts when the windows of its session and user have passed. False
        for a repeated one, None for an unknown session."""
        session = self._sessions.get(session_name)
        if session is None or session.task_told:
            return None if session is None else False
        session.task_told = True
        if abandoned:
            self._users.complained(session.party.person, session.series, Signal.TASK_ABANDONED)
            self._judged.complained(session.name, session.series, Signal.TASK_ABANDONED)
        else:
            self._judged.praised(session.name, session.series, Signal.TASK_ABANDONED)
        return True

    def sweep(self, now: float) -> list[Trial]:
        """Close what has had its window, and forget what is too old."""
        trials = self._users.sweep(now) + self._judged.sweep(now)
        while self._windows and self._windows[0][0] <= now:
            _, _, session = heappop(self._windows)
            trials += self._window_passed(session, now)
        self._answers.forget(now - self.rule.keep_seconds)
        self._sessions.forget(now - self.rule.keep_seconds)
        return trials

    def _session_for(
        self, name: str, series: ArmSeries, now: float, party: Party
    ) -> tuple[Session | None, list[Trial]]:
        """The open session of this name and arm, begun if need be; no name, no session."""
        if not name:
            return None, []
        session = self._sessions.get(name)
        if session is not None and not session.closed and session.series == series:
            return session, []
        ended = session.close() if session is not None and not session.closed else []
        begun = Session(name, series, now, party)
        self._sessions.put(name, begun)
        heappush(self._windows, (now + self.rule.window_seconds, next(self._tickets), begun))
        return begun, ended

    def _touch(self, session: Session, now: float) -> None:
        """The session is alive: its window starts anew, and it is the last to be forgotten."""
        session.last_at = now
        if self._sessions.get(session.name) is session:
            self._sessions.touch(session.name)

    def _window_passed(self, session: Session, now: float) -> list[Trial]:
        """Close a session whose window has really passed; one that was touched meanwhile gets a later look."""
        if session.closed:
            return []
        due = session.last_at + self.rule.window_seconds
        if due <= now:
            return session.close()
        heappush(self._windows, (due, next(self._tickets), session))
        return []
