"""What counts as silence: not a refusal, not a caller who leaves, but a connection that takes long."""

import asyncio

import httpx
import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.pools.silence import ARMS, COMPLETE, FAILED, REMEMBERED_SECONDS, SLOW_SECONDS, STARTED, Silence

SERIES = ArmSeries("aks-v2", Arm.CANDIDATE)


class SilentClock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def refused() -> Exception:
    error = httpx.ConnectError("no")
    error.__cause__ = ConnectionRefusedError()
    return error


@pytest.mark.parametrize(
    ("event", "info", "took", "silent"),
    [
        pytest.param(COMPLETE, {}, 0.01, False, id="opened at once"),
        pytest.param(COMPLETE, {}, 1.0, True, id="opened after a lost packet"),
        pytest.param(FAILED, {"exception": refused()}, 1.0, False, id="refused, however late"),
        pytest.param(FAILED, {"exception": httpx.ConnectTimeout("")}, 0.01, True, id="timed out"),
        pytest.param(FAILED, {"exception": OSError(113, "no route to host")}, 0.01, True, id="no way there"),
        pytest.param(FAILED, {"exception": asyncio.CancelledError()}, 0.01, False, id="the caller left at once"),
        pytest.param(FAILED, {"exception": asyncio.CancelledError()}, 1.0, True, id="the caller left after a while"),
    ],
)
async def test_silence_is(event, info, took, silent):
    clock = SilentClock()
    silence = Silence(clock)
    attempt = silence.attempt(SERIES)
    await attempt.trace(STARTED, {})
    clock.now += took
    await attempt.trace(event, info)
    attempt.close()
    clock.now += 2

    assert silence.seconds() == ({SERIES: 2.0} if silent else {})


async def test_it_is_known_while_the_connection_is_still_waited_for_and_forgotten_in_the_end():
    clock = SilentClock()
    silence = Silence(clock)
    attempt = silence.attempt(SERIES)
    await attempt.trace(STARTED, {})
    at_once = silence.seconds()
    clock.now += 2 * SLOW_SECONDS
    during = silence.seconds()
    attempt.close()
    clock.now += REMEMBERED_SECONDS

    assert (at_once, during, silence.seconds()) == ({}, {SERIES: 0.0}, {})


async def test_a_kept_connection_says_nothing_of_connecting():
    silence = Silence(SilentClock())
    silence.attempt(SERIES).close()

    assert silence.seconds() == {}


async def test_memory_is_bounded():
    silence = Silence(SilentClock())
    for number in range(2 * ARMS):
        attempt = silence.attempt(ArmSeries(f"v{number}", Arm.CANDIDATE))
        await attempt.trace(STARTED, {})
        await attempt.trace(FAILED, {"exception": OSError()})

    assert len(silence.seconds()) == ARMS


async def test_what_this_process_did_not_see_is_no_silence():
    clock, stalled = SilentClock(), [5.0]
    silence = Silence(clock, lambda: stalled[0])
    attempt, other = silence.attempt(SERIES), silence.attempt(SERIES)
    await attempt.trace(STARTED, {})
    clock.now += 4
    stalled[0] += 3.9
    at_once = silence.seconds()
    await attempt.trace(COMPLETE, {})
    await other.trace(STARTED, {})
    clock.now += 4
    stalled[0] += 3

    assert (at_once, silence.seconds()) == ({}, {SERIES: 0.0})
