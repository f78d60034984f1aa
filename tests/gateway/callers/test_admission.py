"""What a caller may ask: above it, 429 and when to come back; others are not held up."""

import contextlib

import pytest

from pitwall_gateway.callers.admission import Admission
from pitwall_gateway.callers.keys import Callers
from pitwall_gateway.callers.rule import CallerLimits
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.speaker import Speaker

WEB, APP = Speaker("web"), Speaker("app")
EVENING = 86_400.0 * 20_000 + 86_000


def admission(clock=lambda: EVENING, **limits):
    return Admission(Callers(None, CallerLimits(**limits)), clock)


def refused(act):
    with pytest.raises(RequestRefusedError) as caught:
        act()
    return caught.value.status, caught.value.code, int(caught.value.headers["retry-after"])


def ask(gate, speaker=WEB):
    with gate.place(speaker):
        gate.asked(speaker)


def test_above_its_rate_a_caller_is_told_when_to_come_back_and_others_are_not():
    gate = admission(requests_per_second=0.5)
    gate.request(WEB)

    assert refused(lambda: gate.request(WEB)) == (429, "rate_limit_exceeded", 2)
    gate.request(APP)


def test_a_quota_lasts_until_midnight():
    now = [EVENING]
    gate = admission(lambda: now[0], questions_per_day=2)
    ask(gate)
    ask(gate)

    assert refused(lambda: ask(gate)) == (429, "quota_exceeded", 400)
    ask(gate, APP)
    now[0] += 400
    ask(gate)


def test_only_so_many_at_once_and_a_place_is_free_again_however_a_question_ends():
    gate = admission(questions_at_once=1)

    def fails():
        with gate.place(WEB):
            assert refused(lambda: ask(gate)) == (429, "too_many_at_once", 1)
            ask(gate, APP)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    ask(gate)


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"share": 0.02}, 4),
        ({"share": 0.5}, 16),
        ({"share": 0.5, "questions_at_once": 5}, 5),
        ({"share": 0.5, "questions_at_once": 256}, 16),
        ({"share": 1.0, "questions_at_once": 256}, 256),
    ],
)
def test_a_caller_that_has_a_share_has_it_of_a_pods_queue_too(limits, most):
    """Others whom a full queue refuses would speak against the variant for it."""
    gate = admission(**limits)

    with contextlib.ExitStack() as under_way:
        for _ in range(most):
            under_way.enter_context(gate.place(WEB))
        assert refused(lambda: ask(gate)) == (429, "too_many_at_once", 1)


def test_a_user_has_so_many_at_once_and_others_and_those_without_a_name_are_not_held_up():
    gate = admission(user_questions_at_once=2)
    ann, bob = WEB.party("ann"), WEB.party("bob")

    with gate.user(WEB, ann), gate.user(WEB, ann):
        with pytest.raises(RequestRefusedError, match="2 questions of this user"), gate.user(WEB, ann):
            pass
        for speaker, other in ((WEB, bob), (APP, APP.party("ann")), *[(WEB, WEB.party(""))] * 5):
            with gate.user(speaker, other):
                pass
    with gate.user(WEB, ann):
        pass


def test_a_vouched_user_takes_no_more_than_their_own_places_whatever_is_still_to_be_read():
    gate = admission(user_questions_at_once=2, questions_at_once=3)
    ann, bob = Speaker("web", "ann"), Speaker("web", "bob")

    with gate.place(ann), gate.place(ann), gate.user(ann, ann.party("ann")):
        assert refused(lambda: ask(gate, ann)) == (429, "too_many_at_once", 1)
        ask(gate, bob)
        ask(gate, WEB)


def test_a_vouched_user_has_a_part_of_the_callers_rate():
    gate = admission(requests_per_second=40)
    ann, bob = Speaker("web", "ann"), Speaker("web", "bob")
    for _ in range(20):
        gate.request(ann)

    assert refused(lambda: gate.request(ann)) == (429, "rate_limit_exceeded", 1)
    gate.request(bob)
    gate.request(WEB)


def test_a_vouched_user_has_a_part_of_the_quota_and_is_told_what_is_left_of_it():
    gate = admission(questions_per_day=1000)
    ann, bob = Speaker("web", "ann"), Speaker("web", "bob")
    gate.videos(ann, 200)

    for _ in range(3):
        with pytest.raises(
            RequestRefusedError, match=r"250 questions and videos of this user today, .* 50 are left: send at most 50 "
        ):
            gate.videos(ann, 51)
    gate.videos(ann, 50)
    assert refused(lambda: gate.asked(ann)) == (429, "quota_exceeded", 400)
    gate.asked(bob)
    gate.videos(WEB, 749)
    assert refused(lambda: gate.asked(bob)) == (429, "quota_exceeded", 400)


def test_every_vouched_user_has_at_least_one_question_of_a_small_quota():
    gate = admission(questions_per_day=2)
    ann = Speaker("web", "ann")

    gate.asked(ann)
    assert refused(lambda: gate.asked(ann)) == (429, "quota_exceeded", 400)
    gate.asked(Speaker("web", "bob"))


def test_a_batch_that_the_rate_refuses_is_no_part_of_the_quota():
    gate = admission(requests_per_second=1, questions_per_day=100)
    gate.videos(WEB, 60)

    assert refused(lambda: gate.videos(WEB, 40))[1] == "rate_limit_exceeded"
    for _ in range(40):
        gate.asked(WEB)


def test_a_place_without_a_question_is_no_part_of_the_quota():
    gate = admission(questions_per_day=1)
    for _ in range(9):
        with gate.place(WEB):
            pass

    gate.asked(WEB)
    assert refused(lambda: gate.asked(WEB)) == (429, "quota_exceeded", 400)


def test_zero_is_no_limit():
    gate, went_through = admission(), 0
    for _ in range(1000):
        gate.request(WEB)
        with gate.place(WEB):
            gate.asked(WEB)
            went_through += 1

    assert went_through == 1000
