"""Holds a caller to a rate, and each user whom a token vouches for to a part of it, in bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pitwall_gateway.values.speaker import Speaker

USER_PART: Final = 1 / 4
"""Of what its caller may use up, the part of a user whom a token vouches for."""
CALLERS_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Wait:
    """How long until the next one may pass, and which rate it was above: the caller's, or the user's own."""

    seconds: float
    per_second: float
    whose: str = ""


@dataclass(slots=True)
class _Bucket:
    """What a caller has left at a moment, and what each of its users has who has not all; less than nothing is owed."""

    left: float
    since: float
    users: dict[str, float] = field(default_factory=dict)


class Rate:
    """A token bucket for each caller: `per_second` on average, twice as many or 1 at once; one of a part of that for
    each of its vouched users. 0 is no limit.

    What costs more than there is passes too, and the next ones wait until it is made up for. What a vouched user owes
    is taken from its caller's bucket only as the user makes up for it, at its part of the rate: a large batch holds up
    who sent it and nobody else, and in the long run a caller still has no more than its rate.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst = per_second, max(1.0, 2 * per_second)
        self._part, self._part_burst = per_second * USER_PART, max(1.0, 2 * per_second * USER_PART)
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, speaker: Speaker, cost: int = 1) -> Wait | None:
        """Pay for one more that costs so much, or say why it must wait, for which nothing is paid."""
        if not self._rate:
            return None
        bucket = self._bucket(speaker.caller)
        mine = bucket.users.get(speaker.user, self._part_burst)
        if speaker.user and mine < 1:
            return Wait((1 - mine) / self._part, self._part, " of this user")
        if bucket.left < 1:
            owing = sum(left < 0 for left in bucket.users.values())
            return Wait((1 - bucket.left) / max(self._rate - owing * self._part, self._part), self._rate)
        if speaker.user:
            bucket.users[speaker.user] = mine - cost
        bucket.left -= min(cost, mine) if speaker.user else cost
        return None

    def _bucket(self, caller: str) -> _Bucket:
        """What this caller and its users have now."""
        now = self._clock()
        bucket = self._buckets.pop(caller, None) or _Bucket(self._burst, now)
        self._buckets[caller] = bucket
        if len(self._buckets) > CALLERS_REMEMBERED:
            self._buckets.popitem(last=False)
        passed, bucket.since = now - bucket.since, now
        made_up = 0.0
        for user, left in list(bucket.users.items()):
            saved = bucket.users[user] = min(self._part_burst, left + passed * self._part)
            made_up += min(saved, 0) - min(left, 0)
            if saved >= self._part_burst:
                del bucket.users[user]
        bucket.left = min(self._burst, bucket.left + passed * self._rate - made_up)
        return bucket
