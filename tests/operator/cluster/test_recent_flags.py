"""However many flags there are, the operator reads them page by page, and decides on what it knows meanwhile."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pitwall_flags import client as clients
from pitwall_flags.errors import FlagsUnreachableError
from pitwall_flags.flag.document import ArmShare, owner_of, split_document
from pitwall_operator.cluster.recent_flags import AGAIN_SECONDS, RECENT_SECONDS, WHOLE_SECONDS, RecentFlags

WHO = {"actor": "me", "reason": "because"}
PAGE = 3


class PagedService:
    """A flag service whose pages hold three flags. `fails` names cursors that are out of order."""

    def __init__(self, count: int) -> None:
        self.flags = {f"f{number:03d}": self._split(1) for number in range(count)}
        self.revision = count
        self.changes: list[str] = []
        self.asked: list[str] = []
        self.fails: set[str] = set()

    @staticmethod
    def _split(version: int) -> dict[str, Any]:
        return {
            "version": version,
            "killed": False,
            "document": split_document([ArmShare("stable", "u", 10_000)], salt="s"),
        }

    def write(self, key: str, **changed: Any) -> None:
        self.flags[key] = {**self._split(self.flags.get(key, {"version": 0})["version"] + 1), **changed}
        self._changed(key)

    def drop(self, key: str) -> None:
        del self.flags[key]
        self._changed(key)

    def _changed(self, key: str) -> None:
        self.revision += 1
        self.changes.append(key)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        if request.method == "PUT":
            key = request.url.path.rpartition("/")[2]
            self.write(key)
            return httpx.Response(200, json={"key": key, **self.flags[key]})
        cursor = f"since {asked['changedAfter']}" if "changedAfter" in asked else asked["after"]
        self.asked.append(cursor)
        if cursor in self.fails:
            return httpx.Response(503, json={"error": "out of order"})
        return httpx.Response(200, json=self._since(asked) if "changedAfter" in asked else self._page(cursor))

    def _page(self, after: str) -> dict[str, Any]:
        keys = sorted(key for key in self.flags if key > after)
        shown = [{"key": key, **self.flags[key]} for key in keys[:PAGE]]
        last = shown[-1]["key"] if shown else after
        return {"flags": shown, "last": last, "more": len(keys) > PAGE, "revision": self.revision}

    def _since(self, asked: httpx.QueryParams) -> dict[str, Any]:
        number = self.revision - int(asked["changedAfter"])
        keys = set(self.changes[len(self.changes) - number :] if number else ())
        shown = [{"key": key, **self.flags[key]} for key in keys if key in self.flags]
        gone = [{"key": key, "version": 99} for key in keys if key not in self.flags]
        return {"flags": shown, "gone": gone, "revision": self.revision, "more": False}

    def took(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def service() -> PagedService:
    return PagedService(10)


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
async def flags(service, clock, monkeypatch) -> AsyncIterator[RecentFlags]:
    monkeypatch.setattr(clients, "BACKOFF", clients.Backoff(0.0, 0.0))
    opened = RecentFlags("http://flags", transport=httpx.MockTransport(service), clock=lambda: clock[0])
    yield opened
    await opened.close()


async def test_at_first_all_pages_are_read_and_then_what_was_written_meanwhile(flags, service):
    assert [record.key for record in await flags.list()] == sorted(service.flags)
    assert service.took() == ["", "f002", "f005", "f008", "since 10"]


async def test_a_page_that_fails_is_read_again_and_not_those_before_it(flags, service):
    service.fails = {"f005"}
    for _ in range(2):
        with pytest.raises(FlagsUnreachableError, match="after=f005"):
            await flags.get("f000")
    assert service.took() == ["", "f002", *(["f005"] * 2 * clients.ATTEMPTS)]
    service.fails = set()
    service.write("f001")

    assert (await flags.get("f001")).version == 2
    assert service.took() == ["f005", "f008", "since 10"]


async def test_where_the_last_page_failed_what_was_written_until_it_came_is_read_too(flags, service):
    service.fails = {"f008"}
    with pytest.raises(FlagsUnreachableError, match="after=f008"):
        await flags.get("f000")
    service.fails = set()
    service.write("f000")
    service.took()

    assert (await flags.get("f000")).version == 2
    assert service.took() == ["f008", "since 10"]


async def test_later_all_are_gone_through_a_page_each_second_beside_what_changed(flags, service, clock):
    await flags.list()
    service.took()
    clock[0] += WHOLE_SECONDS
    service.write("f000")
    asked = []
    for _ in range(6):
        assert (await flags.get("f000")).version == 2
        asked.append(service.took())
        clock[0] += RECENT_SECONDS

    assert asked == [
        ["since 10", ""],
        *(["since 11", after] for after in ("f002", "f005", "f008")),
        *[["since 11"]] * 2,
    ]


async def test_a_page_that_fails_later_stops_no_decision(flags, service, clock):
    await flags.list()
    service.fails = {"f002"}
    clock[0] += WHOLE_SECONDS
    for version in range(2, 6):
        service.write("f009")
        assert (await flags.get("f009")).version == version
        clock[0] += RECENT_SECONDS
    service.fails = set()
    service.took()
    clock[0] += AGAIN_SECONDS
    await flags.list()
    assert service.took() == ["since 14", "f002"]


async def test_what_is_made_written_or_removed_between_two_pages_is_as_it_is(flags, service, clock):
    await flags.list()
    await flags.changed()
    clock[0] += WHOLE_SECONDS
    await flags.list()  # the first page
    service.write("a")
    service.drop("f001")
    service.drop("f009")
    await flags.put("b", {}, expected_version=None, **WHO)
    for _ in range(6):
        clock[0] += RECENT_SECONDS
        known = await flags.list()

    assert sorted(record.key for record in known) == sorted(service.flags)
    assert await flags.changed() == {"a", "f001", "f009"}


async def test_what_another_database_has_is_found_though_no_change_of_it_is_told(flags, service, clock):
    await flags.list()
    await flags.changed()
    service.flags["f004"]["killed"] = True
    del service.flags["f007"]
    clock[0] += WHOLE_SECONDS
    for _ in range(6):
        clock[0] += RECENT_SECONDS
        known = await flags.list()

    assert sorted(record.key for record in known) == sorted(service.flags)
    assert await flags.changed() == {"f004", "f007"}


async def test_a_list_is_the_same_while_all_are_gone_through_and_nothing_changed(flags, clock):
    before = await flags.list()
    clock[0] += WHOLE_SECONDS
    for _ in range(6):
        clock[0] += RECENT_SECONDS
        assert await flags.list() is before


async def test_of_what_is_no_split_of_ours_nothing_is_kept_but_our_marks(flags, service):
    values = {f"v{number}": "x" * 100 for number in range(300)}
    document = {"state": "ENABLED", "variants": values, "metadata": {"pitwallRollout": "shop/a", "note": "y" * 9000}}
    service.flags["f003"]["document"] = document

    known = await flags.get("f003")

    assert (known.document, known.version) == ({"metadata": {"pitwallRollout": "shop/a"}}, 1)
    assert owner_of(known.document) == ("shop", "a")
    assert (await flags.get("f004")).document == service.flags["f004"]["document"]
