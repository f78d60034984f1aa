"""Holds callers to what they may ask or send: a rate, a number of questions and videos a day, and a number at once."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from pitwall_gateway.callers.keys import Callers
from pitwall_gateway.callers.rate import USER_PART, Rate
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.speaker import Party, Speaker
from pitwall_gateway.values.under_way import one_more

DAY_SECONDS = 86_400


class Admission:
    """Counts what each caller, and each user whom a token vouches for, asks of this gateway; a day ends at midnight
    UTC."""

    def __init__(self, callers: Callers, clock: Callable[[], float] = time.time) -> None:
        self._callers = callers
        self._clock = clock
        self._rates: dict[float, Rate] = {}
        self._video_rates: dict[float, Rate] = {}
        self._day = 0
        self._asked: Counter[tuple[str, str]] = Counter()
        self._under_way: Counter[str] = Counter()
        self._users: Counter[str] = Counter()

    def request(self, speaker: Speaker) -> None:
        """One more request. Raises RequestRefusedError (429) above the caller's rate, and above a vouched user's part
        of it."""
        self._within(self._rates, speaker, "requests")

    def _within(self, rates: dict[float, Rate], speaker: Speaker, what: str, count: int = 1) -> None:
        rate = self._callers.limits_of(speaker.caller).requests_per_second
        if wait := rates.setdefault(rate, Rate(rate)).take(speaker, count):
            raise _too_many(
                f"more than {wait.per_second:g} {what} a second{wait.whose}", wait.seconds, "rate_limit_exceeded"
            )

    @contextlib.contextmanager
    def place(self, speaker: Speaker) -> Iterator[None]:
        """A place for one more question or batch, for as long as it is under way: of the caller's, and of the user's
        whom a token vouches for. Raises RequestRefusedError (429)."""
        most = self._callers.limits_of(speaker.caller).most_at_once
        with self._place_of(speaker.party(speaker.user)):
            if most and self._under_way[speaker.caller] >= most:
                raise _too_many(f"{most} questions or batches under way", 1.0, "too_many_at_once")
            with one_more(self._under_way, speaker.caller):
                yield

    def user(self, speaker: Speaker, party: Party) -> AbstractContextManager[None]:
        """A place for one more question of this user, as far as it has a name, and unless it has one already: nobody
        fills the pods' queues alone. Raises RequestRefusedError (429)."""
        return contextlib.nullcontext() if speaker.user else self._place_of(party)

    @contextlib.contextmanager
    def _place_of(self, party: Party) -> Iterator[None]:
        most, person = self._callers.limits_of(party.caller).user_questions_at_once, party.person
        if not (most and person):
            yield
            return
        if self._users[person] >= most:
            raise _too_many(f"{most} questions of this user under way", 1.0, "too_many_at_once")
        with one_more(self._users, person):
            yield

    def asked(self, speaker: Speaker) -> None:
        """One more question, which is known to be one. Raises RequestRefusedError (429) above the caller's quota of the
        day, and above a vouched user's part of it."""
        self._check_day(speaker, 1)
        self._count(speaker, 1)

    def videos(self, speaker: Speaker, count: int) -> None:
        """So many videos to prepare: each counts as a question against the day, and as a request against the rate,
        which has a bucket of its own, so that a batch does not keep its caller from asking. Raises
        RequestRefusedError (429), and then has counted nothing."""
        self._check_day(speaker, count)
        self._within(self._video_rates, speaker, "videos", count)
        self._count(speaker, count)

    def _check_day(self, speaker: Speaker, count: int) -> None:
        quota = self._callers.limits_of(speaker.caller).questions_per_day
        if not quota:
            return
        self._begin_day()
        if speaker.user:
            part = math.ceil(quota * USER_PART)
            self._within_day(speaker, part, count, "questions and videos of this user today, its part of the quota")
        self._within_day(Speaker(speaker.caller), quota, count, "questions and videos today, the quota")

    def _within_day(self, who: Speaker, most: int, count: int, what: str) -> None:
        left = most - self._asked[who.caller, who.user]
        if count > left:
            rest = DAY_SECONDS - self._clock() % DAY_SECONDS
            fewer = f": send at most {left} at once" if left > 0 else ""
            raise _too_many(f"{most} {what}, of which {max(0, left)} are left{fewer}", rest, "quota_exceeded")

    def _count(self, speaker: Speaker, count: int) -> None:
        """Where there is no quota nobody is remembered for it."""
        if self._callers.limits_of(speaker.caller).questions_per_day:
            for who in {"", speaker.user}:
                self._asked[speaker.caller, who] += count

    def _begin_day(self) -> None:
        day = int(self._clock() // DAY_SECONDS)
        if day != self._day:
            self._day, self._asked = day, Counter()


def _too_many(what: str, wait: float, code: str) -> RequestRefusedError:
    seconds = max(1, math.ceil(wait))
    return RequestRefusedError(
        429, f"{what}; ask again in {seconds} s", code=code, headers={"retry-after": str(seconds)}
    )
