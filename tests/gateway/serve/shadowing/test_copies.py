"""Whose copy is next, and whose is dropped: callers first, then the users of each."""

from collections import Counter

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.serve.shadowing.copies import REMEMBERED, Copy, CopyQueue, Turns
from pitwall_gateway.values.speaker import Party

SERIES = ArmSeries("aks-v2", Arm.SHADOW, run="run-1")
SLOW, QUICK = 40.0, 0.5


def copy(caller: str, person: str = "", number: int = 0) -> Copy:
    return Copy(SERIES, str(number).encode(), None, party=Party(caller, person))


def filled(queue: CopyQueue, *copies: Copy) -> list[Copy]:
    """What is dropped for them."""
    return [dropped for one in copies if (dropped := queue.put(one))]


def begun(queue: CopyQueue, number: int) -> list[Copy]:
    return [one for _ in range(number) if (one := queue.take())]


def test_who_is_alone_has_all_places_and_workers():
    queue = CopyQueue(4)
    copies = [copy("web", f"user-{number}", number) for number in range(5)]

    assert filled(queue, *copies) == copies[4:]
    assert begun(queue, 2) == copies[:2]


def test_of_two_callers_each_has_half_of_the_places_however_many_users_the_other_names():
    queue = CopyQueue(8)
    of_web = [copy("web", f"user-{number}", number) for number in range(8)]
    of_app = [copy("app", "ann", number) for number in range(6)]

    assert filled(queue, *of_web) == []
    assert filled(queue, *of_app) == [*reversed(of_web[4:]), *of_app[4:]], "the newest of who has most"


def test_of_a_callers_users_each_has_as_many_places_as_another():
    queue = CopyQueue(4)
    anns = [copy("web", "ann", number) for number in range(4)]
    others = [copy("web", "bob"), copy("web", "eve")]

    assert filled(queue, *anns, *others) == [anns[3], anns[2]]


def test_a_callers_slow_copies_have_one_worker_while_another_waits():
    queue = CopyQueue(64)
    filled(queue, *(copy("web", f"user-{number}") for number in range(30)))
    first, second = begun(queue, 2)
    filled(queue, copy("app", "ann", 1), copy("app", "bob", 2), copy("app", "eve", 3))
    queue.ended(first, SLOW)
    of_app = []
    for _ in range(3):
        (one,) = begun(queue, 1)
        of_app.append(one)
        queue.ended(one, QUICK)

    assert [one.party.caller for one in of_app] == ["app"] * 3
    queue.ended(second, SLOW)
    assert [one.party.caller for one in begun(queue, 2)] == ["web", "web"], "and all of them while nobody does"


@pytest.mark.parametrize("workers", [1, 2])
def test_callers_have_the_workers_for_as_long_as_each_other_and_not_as_often(workers):
    """A worker that turns to each in turn would be with the slow ones nearly all the time."""
    queue, had, number = CopyQueue(64), Counter[str](), 0
    ends: list[tuple[float, Copy]] = []
    now = 0.0
    while now < 2000:
        for caller in ("web", "app"):
            filled(queue, *(copy(caller, f"user-{(number := number + 1)}") for _ in range(2)))
        while len(ends) < workers and (one := queue.take()):
            ends.append((now + (SLOW if one.party.caller == "web" else QUICK), one))
        now, ended = min(ends, key=lambda end: end[0])
        ends.remove((now, ended))
        seconds = SLOW if ended.party.caller == "web" else QUICK
        queue.ended(ended, seconds)
        had[ended.party.caller] += seconds

    assert had["app"] == pytest.approx(had["web"], rel=0.1)


def test_a_users_slow_copies_come_after_those_of_the_callers_other_users():
    queue = CopyQueue(64)
    filled(queue, *(copy("web", "ann", number) for number in range(3)), copy("web", "bob", 9))
    (first,) = begun(queue, 1)
    queue.ended(first, SLOW)
    filled(queue, copy("web", "eve", 10))

    assert [one.body for one in begun(queue, 3)] == [b"9", b"10", b"1"]


def test_a_user_has_one_under_way_and_questions_that_name_none_have_all():
    queue = CopyQueue(64)
    filled(queue, copy("web", "ann", 1), copy("web", "ann", 2), copy("web", "", 3), copy("web", "", 4))

    assert [one.body for one in begun(queue, 4)] == [b"1", b"3", b"4"]


def test_who_comes_new_or_back_is_level_with_who_has_had_least():
    turns = Turns()
    turns.spend("web", SLOW)
    turns.spend("app", 1000.0)
    turns.rise(["web", "app"])

    assert (turns.had("new"), turns.had("web"), turns.had("app")) == (SLOW, SLOW, 1000.0)
    turns.rise(["app"])
    assert turns.had("new") == turns.had("web") == 1000.0


def test_so_many_are_remembered_and_whoever_had_a_turn_longest_ago_is_forgotten():
    turns = Turns()
    for number in range(REMEMBERED + 1):
        turns.spend(f"user-{number}", SLOW)

    assert (turns.had("user-0"), turns.had("user-1")) == (0.0, SLOW)
