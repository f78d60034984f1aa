"""How the API server is watched: never given up, and never believed when it is silent for long."""

import asyncio
from itertools import islice
from typing import Any

import pytest

from pitwall_operator.cluster import handlers
from pitwall_operator.cluster.handlers import Watch, WatchPlan
from pitwall_operator.cluster.settings import read

DAY = 86_400


def settings_of(*arguments: str) -> Any:
    chosen = read(["--flags-url", "http://f", "--runtime-image", "i", *arguments])
    unused: Any = None
    plan = WatchPlan((), unused, unused, unused, unused, silence_seconds=chosen.watch_silence_seconds)
    return handlers._settings(plan)


def test_an_api_server_that_is_away_is_asked_again_soon_and_for_ever():
    pauses = settings_of().networking.error_backoffs
    for _ in range(2):
        asked = list(islice(pauses, DAY))
        assert len(asked) == DAY
        assert max(asked) == 4


def test_a_silent_watch_outlives_a_bookmark_and_no_more():
    assert 60 < settings_of().watching.inactivity_timeout < 75
    assert settings_of("--watch-silence-seconds=5").watching.inactivity_timeout == 5


async def failing(*_: Any) -> None:
    raise RecursionError("an object without an end")


async def ending(*_: Any) -> None:
    return


@pytest.mark.parametrize(
    ("end", "words"),
    [(failing, "RecursionError: an object without an end"), (ending, "the watches have ended")],
    ids=["with an exception", "without a word"],
)
async def test_a_watch_that_ends_is_trouble_that_healthz_tells(monkeypatch, end, words):
    unused: Any = None
    watch = Watch(WatchPlan((), unused, unused, unused, unused))
    monkeypatch.setattr(watch, "_kopf", end)
    assert watch.trouble == "", "it was not begun yet"

    watch.start()
    await asyncio.wait_for(watch.ended.wait(), 60)
    await asyncio.to_thread(watch.join, 60)

    assert watch.trouble == words


async def test_a_watch_whose_loop_stands_still_is_trouble(monkeypatch):
    unused: Any = None
    watch = Watch(WatchPlan((), unused, unused, unused, unused))
    watch._beat_at = handlers.time.monotonic() - 2 * handlers.SILENT_SECONDS

    assert watch.trouble.startswith("the watches have not moved for 1")


async def losing_a_watch(*_: Any) -> None:
    """As kopf goes on when the definition of a resource is deleted: one watcher ends, the others stay."""

    async def gone() -> None:
        await asyncio.sleep(0)
        raise LookupError("404 page not found")

    watchers = [asyncio.create_task(gone(), name="watcher for rollouts.v1alpha1.pitwall.dev@None")]
    watchers += [asyncio.create_task(asyncio.sleep(3600), name=f"watcher for {kind}@None") for kind in "ab"]
    await asyncio.gather(*watchers, return_exceptions=True)


async def test_a_watch_that_ends_alone_is_trouble_too(monkeypatch):
    unused: Any = None
    watch = Watch(WatchPlan((), unused, unused, unused, unused))
    monkeypatch.setattr(handlers, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(watch, "_kopf", losing_a_watch)

    watch.start()
    assert await asyncio.to_thread(watch._told_to_stop.wait, 60)

    assert "watcher for rollouts.v1alpha1.pitwall.dev@None has ended (LookupError: 404 page not found)" in watch.trouble
