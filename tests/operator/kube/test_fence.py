"""What passes the fence, and what is remembered of flags behind it: against an HTTP server in the process."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagConflictError, FlagsUnreachableError
from pitwall_operator.cluster.recent_flags import RECENT_SECONDS, WHOLE_SECONDS, RecentFlags
from pitwall_operator.kube import fence as fences
from pitwall_operator.kube.fence import Fence, FencedTransport
from pitwall_operator.values.errors import NotLeaderError

WHO = {"actor": "me", "reason": "because"}


class FencedCalls(Counter[tuple[str, str]]):
    def count(self, verb: str, resource: str) -> None:
        self[(verb, resource)] += 1


class RecordingService:
    """A flag service that holds one flag; its revision is the flag's version, or so much ahead of it."""

    def __init__(self) -> None:
        self.version, self.ahead, self.asked, self.gone, self.is_down = 1, 0, 0, False, False
        self.killed = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += request.method == "GET"
        if self.is_down:
            return httpx.Response(503, json={"error": "out of order"})
        if request.url.path == "/v1/flags":
            return httpx.Response(200, json=self._contents(int(request.url.params.get("changedAfter", "0"))))
        if request.method == "PUT":
            if request.headers["if-match"] != f'"{self.version}"':
                return httpx.Response(412, json={"error": f"the store has version {self.version}"})
            self.version += 1
        return httpx.Response(200, content=json.dumps(self._flag()))

    def _flag(self) -> dict[str, Any]:
        return {"key": "f", "version": self.version, "killed": self.killed, "document": {"v": self.version}}

    def _contents(self, after: int) -> dict[str, Any]:
        changed = self.version > after
        return {
            "revision": self.version + self.ahead,
            "flags": [self._flag()] if changed and not self.gone else [],
            "gone": [{"key": "f", "version": self.version}] if changed and self.gone else [],
        }


@pytest.fixture
def service() -> RecordingService:
    return RecordingService()


@pytest.fixture
def fenced(service) -> Callable[[Fence], FencedTransport]:
    return lambda fence: FencedTransport(fence, httpx.MockTransport(service))


async def test_reading_needs_no_lease_and_writing_does(fenced):
    calls = FencedCalls()
    client = FlagClient("http://flags", transport=fenced(Fence(lambda: False, calls)))
    assert (await client.get("f")).version == 1
    with pytest.raises(NotLeaderError, match="put flags was not begun"):
        await client.put("f", {}, expected_version=1, **WHO)
    with pytest.raises(NotLeaderError, match="post journal"):
        await client.append_journal("shop", "sampler", [{"n": 1}])
    await client.close()
    assert calls == {("get", "flags"): 1}


async def test_the_test_hook_kills_after_the_nth_change_and_not_after_reads(fenced, monkeypatch):
    killed: list[signal.Signals] = []
    monkeypatch.setattr(fences.os, "kill", lambda _pid, number: killed.append(number))
    client = FlagClient("http://flags", transport=fenced(Fence(lambda: True, FencedCalls(), crash_after=2)))
    await client.get("f")
    await client.put("f", {}, expected_version=1, **WHO)
    assert killed == []
    await client.put("f", {}, expected_version=2, **WHO)
    await client.put("f", {}, expected_version=3, **WHO)
    await client.close()
    assert killed == [signal.SIGKILL]


def test_the_hook_is_off_unless_the_environment_says_otherwise():
    assert Fence.crash_point({}) == 0
    assert Fence.crash_point({fences.CRASH_VARIABLE: ""}) == 0
    assert Fence.crash_point({fences.CRASH_VARIABLE: "7"}) == 7


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def flags(service, clock) -> RecentFlags:
    return RecentFlags("http://flags", transport=httpx.MockTransport(service), clock=lambda: clock[0])


async def test_a_flag_is_read_once_in_a_while(flags, service, clock):
    for _ in range(5):
        assert (await flags.get("f")).version == 1
    assert service.asked == 1
    service.version = 9
    clock[0] += RECENT_SECONDS
    assert (await flags.get("f")).version == 9
    await flags.close()


async def test_ones_own_write_is_known_at_once(flags, service):
    await flags.get("f")
    await flags.put("f", {}, expected_version=1, **WHO)
    assert (await flags.get("f")).version == 2
    assert service.asked == 1
    assert [flags.wrote() for _ in range(2)] == [{"f"}, frozenset()]
    await flags.close()


async def test_all_who_ask_at_once_share_one_reading(flags, service):
    found = await asyncio.gather(*(flags.get(key) for key in ("f", "g", "f", "h")))
    assert [record and record.version for record in found] == [1, None, 1, None]
    assert await flags.list() == (found[0],)
    assert service.asked == 1
    await flags.close()


async def test_a_list_is_the_same_while_nothing_changed_and_another_after_every_change(flags, service, clock):
    """Whoever makes an index of it sees by that whether to make it anew."""
    first = await flags.list()
    clock[0] += RECENT_SECONDS
    assert await flags.list() is first
    await flags.put("f", {}, expected_version=1, **WHO)
    written = await flags.list()
    service.version = 7
    clock[0] += RECENT_SECONDS
    newer = await flags.list()
    service.gone, service.version = True, 8
    clock[0] += RECENT_SECONDS

    assert [[one.version for one in listed] for listed in (first, written, newer)] == [[1], [2], [7]]
    assert await flags.list() == ()
    await flags.close()


async def test_a_flag_that_was_deleted_is_gone(flags, service, clock):
    assert await flags.get("f") is not None
    service.gone, service.version = True, 2
    clock[0] += RECENT_SECONDS
    assert await flags.get("f") is None
    await flags.close()


async def test_what_somebody_else_wrote_or_removed_is_news_once_and_ones_own_write_is_none(flags, service, clock):
    async def news() -> frozenset[str]:
        clock[0] += RECENT_SECONDS
        return await flags.changed()

    assert await news() == {"f"}
    await flags.put("f", {}, expected_version=1, **WHO)
    assert await news() == frozenset()
    service.version += 1
    assert [await news(), await news()] == [{"f"}, frozenset()]
    service.killed = True
    service.version += 1
    assert await news() == {"f"}
    clock[0] += WHOLE_SECONDS
    assert await news() == frozenset()
    service.gone, service.version = True, service.version + 1
    assert [await news(), await news()] == [{"f"}, frozenset()]
    await flags.close()


async def test_what_another_database_has_is_news_and_what_it_lacks(flags, service, clock):
    service.version = 7
    await flags.changed()
    service.version = 3
    clock[0] += RECENT_SECONDS
    assert await flags.changed() == {"f"}
    service.gone = True
    clock[0] += WHOLE_SECONDS
    assert await flags.changed() == {"f"}
    await flags.close()


async def test_another_database_is_read_from_its_start(flags, service, clock):
    service.version = 7
    await flags.get("f")
    service.version = 3
    clock[0] += RECENT_SECONDS
    assert (await flags.get("f")).version == 3
    await flags.close()


async def test_another_database_that_is_ahead_is_noticed_too(flags, service, clock):
    service.version = 7
    await flags.get("f")
    service.version, service.ahead = 3, 100
    clock[0] += WHOLE_SECONDS
    assert (await flags.get("f")).version == 3
    await flags.close()


async def test_ones_own_write_outlives_a_reading_of_all_that_began_before_it(service, clock):
    """The reading's answer is as old as its question."""
    reading, answered = asyncio.Event(), asyncio.Event()

    async def slowly(request: httpx.Request) -> httpx.Response:
        found = service(request)
        if request.method == "GET":
            reading.set()
            await answered.wait()
        return found

    flags = RecentFlags("http://flags", transport=httpx.MockTransport(slowly), clock=lambda: clock[0])
    asked = asyncio.create_task(flags.get("f"))
    await reading.wait()
    await flags.put("f", {}, expected_version=1, **WHO)
    answered.set()

    assert (await asked).version == 2
    await flags.close()


async def test_what_is_too_old_is_not_told_while_the_service_is_away(flags, service, clock):
    await flags.get("f")
    service.is_down = True
    clock[0] += RECENT_SECONDS
    with pytest.raises(FlagsUnreachableError, match="out of order"):
        await flags.get("f")
    service.is_down = False
    assert (await flags.get("f")).version == 1
    await flags.close()


async def test_a_refused_write_makes_the_next_look_a_real_one(flags, service):
    await flags.get("f")
    service.version = 5
    with pytest.raises(FlagConflictError):
        await flags.put("f", {}, expected_version=1, **WHO)
    assert (await flags.get("f")).version == 5
    await flags.close()
