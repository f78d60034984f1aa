"""Holds callers to what they may ask or send: a rate, a number of questions and videos a day, and a number at once."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from pitwall_crds.host.rate_limit import RateLimit
from pitwall_gateway.callers.keys import Callers
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.speaker import Party, Speaker
from pitwall_gateway.values.under_way import one_more

DAY_SECONDS = 86_400
USER_PART: Final = 1 / 4
"""Of its caller's rate, what a user may use up whom a token vouches for."""


class Admission:
    """Counts what each caller asks of this gateway; a day ends at midnight UTC."""

    def __init__(self, callers: Callers, clock: Callable[[], float] = time.time) -> None:
        self._callers = callers
        self._clock = clock
        self._rates: dict[float, RateLimit] = {}
        self._video_rates: dict[float, RateLimit] = {}
        self._day = 0
        self._asked: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._users: Counter[str] = Counter()

    def request(self, speaker: Speaker) -> None:
        """One more request. Raises RequestRefusedError (429) above the caller's rate, and above a vouched user's part
        of it."""
        rate = self._callers.limits_of(speaker.caller).requests_per_second
        if not rate:
            return
        if speaker.user:
            self._within(rate * USER_PART, repr((speaker.caller, speaker.user)), "requests a second of this user")
        self._within(rate, speaker.caller, "requests a second")

    def _within(self, rate: float, who: str, what: str) -> None:
        if wait := self._rates.setdefault(rate, RateLimit(rate)).seconds_to_wait(who):
            raise _too_many(f"more than {rate:g} {what}", wait, "rate_limit_exceeded")

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

    def asked(self, speaker: Speaker, count: int = 1) -> None:
        """So many more questions or videos, which are known to be some. Raises RequestRefusedError (429) above the
        caller's quota of the day."""
        quota = self._callers.limits_of(speaker.caller).questions_per_day
        self._begin_day()
        if quota and self._asked[speaker.caller] + count > quota:
            rest = DAY_SECONDS - self._clock() % DAY_SECONDS
            raise _too_many(f"{quota} questions and videos today, the quota", rest, "quota_exceeded")
        self._asked[speaker.caller] += count

    def videos(self, speaker: Speaker, count: int) -> None:
        """So many videos to prepare: each counts as a question against the day, and as a request against the rate,
        which has a bucket of its own, so that a batch does not keep its caller from asking. Raises
        RequestRefusedError (429)."""
        rate = self._callers.limits_of(speaker.caller).requests_per_second
        wait = self._video_rates.setdefault(rate, RateLimit(rate)).seconds_to_wait(speaker.caller, count)
        if wait:
            raise _too_many(f"more than {rate:g} videos a second", wait, "rate_limit_exceeded")
        self.asked(speaker, count)

    def _begin_day(self) -> None:
        day = int(self._clock() // DAY_SECONDS)
        if day != self._day:
            self._day, self._asked = day, Counter()


def _too_many(what: str, wait: float, code: str) -> RequestRefusedError:
    seconds = max(1, math.ceil(wait))
    return RequestRefusedError(
        429, f"{what}; ask again in {seconds} s", code=code, headers={"retry-after": str(seconds)}
    )
