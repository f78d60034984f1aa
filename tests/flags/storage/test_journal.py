"""Decision records: kept in order, once each, page by page."""

import asyncio
import contextlib

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagRejectedError, JournalConflictError
from pitwall_flags.storage.store import FlagStore

pytestmark = pytest.mark.slow
STREAM = "team/sampler"


def numbered(*numbers: int) -> list[dict[str, int]]:
    return [{"block": number} for number in numbers]


async def test_lines_come_back_in_order_whatever_the_page(database):
    store = await FlagStore.open(database)
    for first in range(0, 9, 3):
        await store.journal.append(STREAM, numbered(first, first + 1, first + 2), f"r{first}")
    await store.journal.append("team/other", numbered(99), "x")

    read, last, more = [], 0, True
    while more:
        page = await store.journal.read(STREAM, after=last, limit=4)
        read, last, more = [*read, *page.lines], page.last, page.more
    await store.close()

    assert read == numbered(*range(9))


async def test_the_same_request_adds_its_lines_once(database):
    store = await FlagStore.open(database)
    assert await store.journal.append(STREAM, numbered(1, 2), "same") == 2
    assert await store.journal.append(STREAM, numbered(1, 2), "same") == 2
    assert await store.journal.append(STREAM, numbered(3), "next") == 3
    page = await store.journal.read(STREAM, after=0, limit=10)
    await store.close()

    assert page.lines == tuple(numbered(1, 2, 3))


async def test_of_two_writers_at_once_no_line_is_lost_or_doubled(database):
    store = await FlagStore.open(database)

    async def write(number: int) -> None:
        with contextlib.suppress(JournalConflictError):
            await store.journal.append(STREAM, numbered(number), f"r{number}")
            return
        await write(number)

    await asyncio.gather(*(write(number) for number in range(12)))
    page = await store.journal.read(STREAM, after=0, limit=100)
    await store.close()

    assert sorted(line["block"] for line in page.lines) == list(range(12))


async def test_a_line_cannot_be_changed(database):
    store = await FlagStore.open(database)
    await store.journal.append(STREAM, numbered(1), "r")
    with pytest.raises(DBAPIError, match="never changed"):
        async with store._engine.begin() as connection:
            await connection.execute(text("UPDATE journal SET line = '{}'"))
    await store.close()


async def test_lines_are_forgotten_after_ninety_days(database):
    day = 86_400_000
    now = [0]
    store = await FlagStore.open(database, now_ms=lambda: now[0])
    for today in (1, 50, 92):
        now[0] = today * day
        await store.journal.append(STREAM, numbered(today), f"r{today}")
    page = await store.journal.read(STREAM, after=0, limit=10)
    await store.close()

    assert page.lines == tuple(numbered(50, 92))


async def test_a_record_outlives_the_service(service):
    client = FlagClient(service.url)
    lines = numbered(*range(700))
    for first in range(0, 700, 100):
        await client.append_journal("team", "sampler", lines[first : first + 100])
    service.crash()
    service.start()
    read = [line async for line in client.read_journal("team", "sampler")]
    await client.close()

    assert read == lines


@pytest.mark.parametrize(
    ("namespace", "lines", "words"),
    [("Team", numbered(1), "namespace"), ("team", [{"x": ["x" * 2000] * 70}], "larger than")],
)
async def test_what_is_no_record_is_refused(service, namespace, lines, words):
    client = FlagClient(service.url)
    with pytest.raises(FlagRejectedError, match=words):
        await client.append_journal(namespace, "sampler", lines)
    await client.close()


def test_a_request_without_a_key_of_its_own_is_refused(service):
    answer = httpx.post(f"{service.url}/v1/journal/team/sampler", json={"lines": numbered(1)})

    assert answer.status_code == 422
    assert "idempotency-key" in answer.text.lower()
