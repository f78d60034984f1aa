"""What works in the background goes on, whatever breaks in it."""

import asyncio

import pytest

from pitwall_crds.host.backoff import Backoff
from pitwall_crds.host.lasting import lasting

SOON = Backoff(first_seconds=0.001, longest_seconds=0.01)


async def test_what_breaks_is_told_and_begun_again(caplog):
    begun, third = [], asyncio.Event()

    async def sweep():
        begun.append(1)
        if len(begun) == 3:
            third.set()
            await asyncio.Event().wait()
        raise KeyError("nobody thought of it")

    task = asyncio.create_task(lasting("the sweep", sweep, SOON))
    await asyncio.wait_for(third.wait(), 30)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert [record.getMessage() for record in caplog.records] == ["the sweep broke; it is begun again"] * 2
    assert "nobody thought of it" in caplog.text
