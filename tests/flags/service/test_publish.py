"""Snapshots: what was built change by change is what a new start would read, and followers only move forward."""

import asyncio
import json

import pytest

from pitwall_flags.flag.document import shadow_document
from pitwall_flags.flag.record import Intent
from pitwall_flags.service.publish import Publisher
from pitwall_flags.storage.store import FlagStore

pytestmark = pytest.mark.slow
ME = Intent("me", "because")


@pytest.fixture
async def store(database):
    opened = await FlagStore.open(database)
    yield opened
    await opened.close()


async def test_changes_add_up_to_what_a_new_start_reads(store, split):
    publisher = Publisher(store, "set")
    await publisher.refresh()
    for number in range(4):
        await store.put(f"f{number}", split(number), expected_version=None, intent=ME)
        await publisher.refresh()
    await store.put("f1.shadow", shadow_document("v", 5, salt="s"), expected_version=None, intent=ME)
    await store.put("f1", split(77), expected_version=1, intent=ME)
    await store.kill("f1", killed=True, intent=ME)
    await store.put("f2", split(78), expected_version=1, intent=ME)
    await store.delete("f0", expected_version=1, intent=ME)
    await store.delete("f3", expected_version=1, intent=ME)
    await store.put("f3", split(79), expected_version=None, intent=ME)
    grown, started = await publisher.refresh(), Publisher(store, "set")
    fresh = await started.refresh()
    assert json.loads(grown.configuration) == json.loads(fresh.configuration)
    assert json.loads(grown.select("f1")) == json.loads(fresh.select("f1"))
    assert grown.revision == fresh.revision == 12
    assert sorted(grown.flag_set.documents) == ["f1", "f1.shadow", "f2", "f3"]
    assert "targeting" not in grown.flag_set.documents["f1"]
    assert grown.flag_set.evaluate("f1", "user", {}).metadata["killed"] is True


async def test_the_configuration_is_the_flag_set_in_json(store, split):
    publisher = Publisher(store, 'a "set"')
    empty = await publisher.refresh()
    assert json.loads(empty.configuration)["flags"] == {}
    await store.put("f", split(5), expected_version=None, intent=ME)
    configuration = json.loads((await publisher.refresh()).configuration)
    assert configuration["flags"] == publisher.snapshot.flag_set.documents
    assert configuration["metadata"] == publisher.snapshot.flag_set.metadata
    assert configuration["$schema"] == "https://flagd.dev/schema/v0/flags.json"


async def test_refreshes_at_once_publish_each_revision_once_and_in_order(store, split):
    publisher = Publisher(store, "set")
    await publisher.refresh()
    seen: list[int] = []

    async def follow() -> None:
        async for snapshot in publisher.follow():
            seen.append(snapshot.revision)
            if snapshot.revision == 10:
                return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)

    async def write(number: int) -> None:
        await store.put(f"f{number}", split(5), expected_version=None, intent=ME)
        await publisher.refresh()

    await asyncio.gather(*(write(number) for number in range(10)))
    await asyncio.wait_for(following, 60)
    assert seen == sorted(set(seen))
    assert seen[-1] == 10


async def test_closing_ends_followers(store):
    publisher = Publisher(store, "set")
    followed = publisher.follow(publisher.snapshot.revision)
    waiting = asyncio.ensure_future(anext(followed))
    await asyncio.sleep(0)
    await publisher.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 60)
