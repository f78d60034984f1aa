"""How long a loop stood still, measured by itself."""

import asyncio
import time

from pitwall_gateway.pools.stalls import LoopStalls


async def test_a_standstill_is_known_before_anything_else_has_run_and_stays_known():
    stalls = LoopStalls()
    before = stalls.seconds()
    stalls.start()
    await asyncio.sleep(0.1)
    quiet = stalls.seconds()
    time.sleep(0.4)  # noqa: ASYNC251 - what a busy loop does
    at_once = stalls.seconds() - quiet
    await asyncio.sleep(0.1)
    later = stalls.seconds() - quiet
    await stalls.close()

    assert before == 0
    assert at_once >= 0.3
    assert later >= at_once - 0.05
