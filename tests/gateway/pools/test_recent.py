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


def test_the_oldest_go_when_there_are_too_many():
    recent = RecentQuestions(bodies=3)
    for body in (b"1", b"2", b"3", b"4"):
        recent.keep(body)

    assert recent.latest(9) == (b"4", b"3", b"2")


def test_a_large_one_is_not_kept_and_drives_nobody_out():
    recent = RecentQuestions()
    recent.keep(b"1")
    recent.keep(b"x" * 262_144)
    recent.keep(b"x" * 16_385)

    assert recent.latest(9) == (b"1",)


def test_each_caller_has_one_before_any_has_a_second():
    recent = RecentQuestions()
    recent.keep(b"quiet", Party("quiet"))
    for number in range(9):
        recent.keep(b"loud %d" % number, Party("loud"))
    recent.keep(b"last", Party("other", "ann"))

    assert recent.latest(4) == (b"last", b"loud 8", b"quiet", b"loud 7")


def test_of_one_user_the_last_question_is_kept_and_of_nobody_in_particular_all():
    recent = RecentQuestions()
    for number in range(3):
        recent.keep(b"loud %d" % number, Party("web", "loud"))
        recent.keep(b"quiet %d" % number, Party("web", f"quiet-{number}"))
        recent.keep(b"app %d" % number, Party("app"))

    kept = recent.latest(9)
    assert [body for body in kept if body.startswith(b"loud")] == [b"loud 2"]
    assert len(kept) == 7
