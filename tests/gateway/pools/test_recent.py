"""The last distinct questions, within a bound."""

from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.values.speaker import Party


def test_the_latest_come_first_and_each_once():
    recent = RecentQuestions()
    for body in (b"a", b"b", b"c", b"a"):
        recent.keep(body)

    assert recent.latest(2) == (b"a", b"c")
    assert recent.latest(9) == (b"a", b"c", b"b")
    assert recent.latest(0) == ()


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_large():
    recent = RecentQuestions(bodies=3, size=10)
    for body in (b"1", b"2", b"3", b"4"):
        recent.keep(body)
    by_number = recent.latest(9)
    recent.keep(b"x" * 9)

    assert by_number == (b"4", b"3", b"2")
    assert recent.latest(9) == (b"x" * 9, b"4")


def test_one_that_is_larger_than_all_the_room_is_not_kept():
    recent = RecentQuestions(size=10)
    recent.keep(b"1")
    recent.keep(b"x" * 11)

    assert recent.latest(9) == (b"1",)


def test_of_one_user_the_last_question_is_kept_and_of_nobody_in_particular_all():
    recent = RecentQuestions()
    for number in range(3):
        recent.keep(b"loud %d" % number, Party("web", "loud"))
        recent.keep(b"quiet %d" % number, Party("web", f"quiet-{number}"))
        recent.keep(b"app %d" % number, Party("app"))

    kept = recent.latest(9)
    assert [body for body in kept if body.startswith(b"loud")] == [b"loud 2"]
    assert len(kept) == 7
