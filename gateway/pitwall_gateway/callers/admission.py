"""Holds callers to what they may ask or send: a rate, a number of questions and videos a day, and a number at once."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from pitwall_crds.host.rate_limit import RateLimit
from pitwall_gateway.callers.keys import Callers
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.speaker import Party, Speaker

DAY_SECONDS = 86_400


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
        """One more request. Raises RequestRefusedError (429) above the caller's rate."""
        rate = self._callers.limits_of(speaker.caller).requests_per_second
        if not rate:
            return
        wait = self._rates.setdefault(rate, RateLimit(rate)).seconds_to_wait(speaker.caller)
        if wait:
            raise _too_many(f"more than {rate:g} requests a second", wait, "rate_limit_exceeded")

    def question(self, speaker: Speaker) -> AbstractContextManager[None]:
        """One more question, for as long as it is under way. Raises RequestRefusedError (429)."""
        return self._under_way_with(speaker, 1)

    @contextlib.contextmanager
    def user(self, party: Party) -> Iterator[None]:
        """One more question of this user, as far as it has a name: nobody fills the pods' queues alone. Raises
        RequestRefusedError (429)."""
        most, person = self._callers.limits_of(party.caller).user_questions_at_once, party.person
        if not (most and person):
            yield
            return
        if self._users[person] >= most:
            raise _too_many(f"{most} questions of this user under way", 1.0, "too_many_at_once")
        with _one_more(self._users, person):
            yield

    def videos(self, speaker: Speaker, count: int) -> AbstractContextManager[None]:
        """So many videos to prepare: each counts as a question against the day, and as a request against the rate,
        which has a bucket of its own, so that a batch does not keep its caller from asking. Raises
        RequestRefusedError (429)."""
        rate = self._callers.limits_of(speaker.caller).requests_per_second
        wait = self._video_rates.setdefault(rate, RateLimit(rate)).seconds_to_wait(speaker.caller, count)
        if wait:
            raise _too_many(f"more than {rate:g} videos a second", wait, "rate_limit_exceeded")
        return self._under_way_with(speaker, count)

    @contextlib.contextmanager
    def _under_way_with(self, speaker: Speaker, count: int) -> Iterator[None]:
        caller, limits = speaker.caller, self._callers.limits_of(speaker.caller)
        self._begin_day()
        if limits.questions_per_day and self._asked[caller] + count > limits.questions_per_day:
            rest = DAY_SECONDS - self._clock() % DAY_SECONDS
            raise _too_many(f"{limits.questions_per_day} questions and videos today, the quota", rest, "quota_exceeded")
        if limits.most_at_once and self._under_way[caller] >= limits.most_at_once:
            raise _too_many(f"{limits.most_at_once} questions or batches under way", 1.0, "too_many_at_once")
        self._asked[caller] += count
        with _one_more(self._under_way, caller):
            yield

    def _begin_day(self) -> None:
        day = int(self._clock() // DAY_SECONDS)
        if day != self._day:
            self._day, self._asked = day, Counter()


@contextlib.contextmanager
def _one_more(under_way: Counter[str], name: str) -> Iterator[None]:
    under_way[name] += 1
    try:
        yield
    finally:
        under_way[name] -= 1
        if not under_way[name]:
            del under_way[name]


def _too_many(what: str, wait: float, code: str) -> RequestRefusedError:
    seconds = max(1, math.ceil(wait))
    return RequestRefusedError(
        429, f"{what}; ask again in {seconds} s", code=code, headers={"retry-after": str(seconds)}
    )
