"""Pages of flags on SQLite and PostgreSQL: in the same order, and of a token's keys alone."""

import pytest

from pitwall_flags.flag.record import Intent
from pitwall_flags.service.auth import covers
from pitwall_flags.storage.store import FlagStore

pytestmark = pytest.mark.slow
ME = Intent("me", "because")
KEYS = (
    "A", "B.x", "a", "a-b", "a.experiment.b", "a.experiment.b.shadow", "a.experimental", "a.shadow", "a.shadows", "a.x",
    "a_b", "ab", "b.", "b.x", "b.x.experiment.y", "b/x".replace("/", "0"), "bb",
)  # fmt: skip


@pytest.fixture
async def store(database):
    opened = await FlagStore.open(database)
    yield opened
    await opened.close()


async def test_pages_are_in_the_order_of_bytes_and_hold_what_roots_cover_in_every_database(store, split):
    for key in reversed(KEYS):
        await store.put(key, split(0), expected_version=None, intent=ME)

    for roots in ({""}, {"a"}, {"b."}, {"a", "b."}, {"b.x"}, {"B."}, {"nobody"}):
        wanted = [key for key in KEYS if covers(frozenset(roots), key)]
        found, page = [], await store.page("", 2, roots)
        found += page.flags
        while page.more:
            page = await store.page(page.last, 2, roots)
            found += page.flags
        changed, after, more = [], 0, True
        while more:
            page = await store.changed_page(after, 2, roots)
            changed, after, more = [*changed, *page.flags], page.revision, page.more

        assert [flag.key for flag in found] == wanted == sorted(wanted), roots
        assert [flag.key for flag in sorted(changed, key=lambda flag: flag.key)] == wanted, roots
        assert (page.revision, page.gone) == (len(KEYS), {}), roots
