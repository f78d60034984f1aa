"""Who still asks, of this hour and the last."""

import random

from pitwall_gateway.counting.users.present import HOUR_SECONDS, PresentUsers


def test_who_asked_in_this_hour_or_the_last_is_counted_once():
    asking = PresentUsers()
    for name, hours in (("ann", 0), ("bob", 0.5), ("ann", 0.9), ("eve", 1.2), ("ann", 1.3)):
        asking.came(name, hours * HOUR_SECONDS)

    assert asking.users(1.4 * HOUR_SECONDS) == 3
    assert [asking.count(name, 1.4 * HOUR_SECONDS) for name in ("ann", "bob", "eve")] == [1, 0, 1]
    assert asking.part("ann", 1.4 * HOUR_SECONDS) == (3, 5)
    assert asking.users(2.1 * HOUR_SECONDS) == 2, "bob left"
    assert asking.users(3.1 * HOUR_SECONDS) == asking.users(9 * HOUR_SECONDS) == 0


def test_however_many_come_memory_is_bounded_and_the_number_is_that_of_two_hours():
    asking, dice, seen = PresentUsers(capacity=40), random.Random(3), []
    for number in range(4000):
        now = number * HOUR_SECONDS / 100
        name = f"user-{dice.randrange(60) + 60 * (number // 900)}"
        asking.came(name, now)
        seen.append((number // 100, name))
        of_two = {name for hour, name in seen[-200:] if hour >= number // 100 - 1}
        assert asking.users(now) <= min(80, len(of_two))
        assert len(asking._now) <= 40
        assert len(asking._last) <= 40
