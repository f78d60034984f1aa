"""Who bears out that stable's pods keep failing: whoever else was there of late, and nobody where nobody was."""

import pytest

from pitwall_gateway.pools.witnesses import PRESENT_SECONDS, QUIET_SECONDS, Witnesses
from pitwall_gateway.values.speaker import NOBODY, Speaker

EVE, BOB, SHOP = Speaker("web").party("eve"), Speaker("web").party("bob"), Speaker("shop").party("ann")
CONTENT, LATER = 0.0, QUIET_SECONDS + 1


@pytest.mark.parametrize(
    ("answered", "failed", "confirmed"),
    [
        pytest.param([], [EVE], True, id="nobody else was ever answered"),
        pytest.param([EVE], [EVE], True, id="nobody else was answered"),
        pytest.param([BOB], [EVE], False, id="another user was, and has not come again"),
        pytest.param([BOB, EVE], [EVE], False, id="another user was before this one"),
        pytest.param([BOB], [EVE, BOB], True, id="another user was, and fails too"),
        pytest.param([BOB], [BOB, EVE, EVE], True, id="another user failed before this one"),
        pytest.param([BOB], [EVE, NOBODY], True, id="a question that names nobody fails too"),
        pytest.param([SHOP], [EVE, BOB], False, id="another caller was, and only users of this one fail"),
        pytest.param([SHOP, EVE], [EVE, BOB, SHOP], True, id="another caller was, and fails too"),
        pytest.param([BOB], [EVE, SHOP], True, id="another caller fails too"),
    ],
)
def test_others_who_were_answered_of_late_must_fail_too(answered, failed, confirmed):
    known = Witnesses()
    for one in answered:
        known.answered(one, CONTENT)
    for one in failed:
        known.failed(one, CONTENT + 0.5)

    assert known.confirm(EVE, LATER) is confirmed


def test_pods_that_answered_anybody_a_moment_ago_do_not_fail_everybody():
    known = Witnesses()
    known.answered(EVE, 10.0)
    known.failed(BOB, 10.1)
    known.failed(EVE, 10.2)

    assert not known.confirm(EVE, 10.0 + QUIET_SECONDS - 0.1)
    assert known.confirm(EVE, 10.0 + QUIET_SECONDS)


def test_who_failed_before_somebody_was_answered_bears_nothing_out():
    known = Witnesses()
    known.failed(BOB, 0.0)
    known.answered(BOB, 1.0)

    assert not known.confirm(EVE, 100.0)


@pytest.mark.parametrize("other", [BOB, SHOP])
def test_who_has_not_come_for_long_is_not_waited_for(other):
    known = Witnesses()
    known.answered(other, 0.0)

    assert not known.confirm(EVE, PRESENT_SECONDS - 1)
    assert known.confirm(EVE, PRESENT_SECONDS)
