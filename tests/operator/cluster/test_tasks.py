"""Background tasks: what breaks is seen and begun again, what hangs or keeps failing is trouble."""

import asyncio

import pytest

from pitwall_crds.host.backoff import Backoff
from pitwall_operator.cluster.tasks import UNHEALTHY_FAILURES, BackgroundTasks


@pytest.fixture
async def over() -> asyncio.Event:
    return asyncio.Event()


class SteppedClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fast(clock: SteppedClock) -> BackgroundTasks:
    return BackgroundTasks(clock, Backoff(0.0, 0.0))


async def test_a_task_that_breaks_is_begun_again_and_told(over, caplog):
    tasks, begun = fast(SteppedClock()), []

    async def task() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ValueError("once more")
        over.set()

    await tasks.keep("sweep", task, over)

    assert len(begun) == 3
    assert caplog.text.count("the task sweep broke") == 2
    assert tasks.trouble() == ""


@pytest.mark.parametrize("fails", [True, False], ids=["with an exception", "without a word"])
async def test_a_task_that_keeps_ending_is_trouble_until_it_comes_round(over, fails):
    tasks, begun, goes_well = fast(SteppedClock()), [], asyncio.Event()

    async def task() -> None:
        begun.append(1)
        if goes_well.is_set():
            tasks.alive("sweep", 60)
            await over.wait()
        if fails:
            raise ValueError("no flags")

    keeping = asyncio.create_task(tasks.keep("sweep", task, over))
    async with asyncio.timeout(60):
        while len(begun) <= UNHEALTHY_FAILURES:  # noqa: ASYNC110 – the claim is about how often it was begun
            await asyncio.sleep(0)
        assert "sweep failed" in tasks.trouble()
        assert ("no flags" if fails else "it ended by itself") in tasks.trouble()
        goes_well.set()
        while tasks.trouble():  # noqa: ASYNC110
            await asyncio.sleep(0)
        over.set()
        await keeping


async def test_a_task_that_hangs_is_trouble(over):
    clock = SteppedClock()
    tasks = fast(clock)

    async def task() -> None:
        tasks.alive("comparison", 10)
        await over.wait()

    keeping = asyncio.create_task(tasks.keep("comparison", task, over))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert tasks.trouble() == ""
    clock.now = 17.0
    assert tasks.trouble() == "comparison has hung for 7 s"
    over.set()
    await keeping
    assert tasks.trouble() == "", "what is over cannot hang"
