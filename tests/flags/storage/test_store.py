"""The store on SQLite and PostgreSQL: no change is lost, reordered or applied twice, and the trail stays."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pitwall_flags.errors import FullError, KilledFlagError, UnknownFlagError, VersionConflictError
from pitwall_flags.flag.document import killed_salt, read_split, shadow_document
from pitwall_flags.flag.record import ChangeKind, Intent
from pitwall_flags.service.publish import Publisher
from pitwall_flags.storage import migrate, tables
from pitwall_flags.storage.bounds import PAGE_BYTES, Bounds
from pitwall_flags.storage.store import FlagStore

pytestmark = pytest.mark.slow
ME = Intent("me", "because")


@pytest.fixture
async def store(database: str) -> AsyncIterator[FlagStore]:
    ticks = iter(range(1000, 10_000_000))
    opened = await FlagStore.open(database, now_ms=lambda: next(ticks))
    yield opened
    await opened.close()


async def test_versions_count_up_and_old_ones_conflict(store, split):
    assert (await store.put("f", split(0), expected_version=None, intent=ME)).version == 1
    assert (await store.put("f", split(100), expected_version=1, intent=ME)).version == 2
    for stale in (None, 1, 3):
        with pytest.raises(VersionConflictError, match="the store has version 2"):
            await store.put("f", split(5000), expected_version=stale, intent=ME)
    assert read_split((await store.get("f")).document).shares[0].weight == 100
    assert await store.revision() == 2


async def test_a_first_write_of_an_unknown_version_conflicts(store, split):
    with pytest.raises(VersionConflictError, match="no such flag"):
        await store.put("f", split(0), expected_version=1, intent=ME)
    assert await store.get("f") is None


async def test_a_repeated_request_is_applied_once(store, split):
    again = Intent("me", "because", "request-1")
    first = await store.put("f", split(100), expected_version=None, intent=again)
    assert await store.put("f", split(100), expected_version=None, intent=again) == first
    assert len(await store.history("f")) == 1
    assert await store.revision() == 1


async def test_every_change_is_kept_with_who_when_why_before_and_after(store, split):
    await store.put("f", split(0), expected_version=None, intent=Intent("operator", "stage 1"))
    await store.put("f", split(100), expected_version=1, intent=Intent("kim", "by hand"))
    newest, oldest = await store.history("f")
    assert (newest.actor, newest.reason, newest.action, newest.version) == ("kim", "by hand", ChangeKind.PUT, 2)
    assert (oldest.before, newest.before) == (None, oldest.after)
    assert oldest.at_ms < newest.at_ms
    assert newest == await store.change("f", 2)
    assert [change.version for change in await store.history("f", before_version=2)] == [1]


async def test_writers_at_once_lose_nothing_and_reorder_nothing(store, split):
    await store.put("f", split(0), expected_version=None, intent=ME)

    async def write_until_accepted(number: int) -> int:
        while True:
            seen = await store.get("f")
            try:
                done = await store.put(
                    "f", split(number), expected_version=seen.version, intent=Intent("me", str(number))
                )
            except VersionConflictError:
                continue
            return done.version

    versions = await asyncio.gather(*(write_until_accepted(number) for number in range(12)))
    assert sorted(versions) == list(range(2, 14))
    changes = (await store.history("f"))[::-1]
    assert [change.revision for change in changes] == list(range(1, 14))
    assert all(later.before == earlier.after for earlier, later in itertools.pairwise(changes))


async def test_two_services_on_one_database_share_one_order(store, database, split):
    other = await FlagStore.open(database)
    try:
        writes = [
            writer.put(f"f{number}", split(0), expected_version=None, intent=ME)
            for number in range(6)
            for writer in (store, other)
        ]
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert sum(isinstance(result, VersionConflictError) for result in results) == 6
        assert (await other.contents()).revision == 6
    finally:
        await other.close()


async def test_a_kill_takes_the_shadow_flags_along_and_wins_over_later_writes(store, split):
    await store.put("s", split(5000), expected_version=None, intent=ME)
    await store.put("s.shadow", shadow_document("air-v1", 5, salt="x"), expected_version=None, intent=ME)
    await store.put("survivor", split(5000), expected_version=None, intent=ME)
    killed = await store.kill("s", killed=True, intent=Intent("kim", "p99 doubled"))
    assert (killed.killed, killed.version) == (True, 2)
    later = await store.put("s", split(10_000), expected_version=2, intent=ME)
    assert later.killed
    records = {record.key: record for record in (await store.contents()).records}
    assert [key for key, record in records.items() if record.killed] == ["s", "s.shadow"]
    assert "targeting" not in records["s"].effective()
    assert records["s"].effective()["defaultVariant"] == "stable"
    released = await store.kill("s", killed=False, intent=ME)
    assert read_split(released.effective()).shares[0].weight == 10_000
    assert await store.revision() == 8


async def test_a_kill_spares_the_copies_of_a_flag_that_is_spelled_alike(store, split):
    keys = ("team.x", "team.x.shadow", "team.x.experiment.v2", "TEAM.X", "TEAM.X.shadow", "TEAM.X.experiment.v2")
    for key in keys:
        await store.put(key, split(100), expected_version=None, intent=ME)
    await store.kill("TEAM.X", killed=True, intent=ME)

    killed = {record.key for record in (await store.contents()).records if record.killed}
    assert killed == {"TEAM.X", "TEAM.X.shadow", "TEAM.X.experiment.v2"}


async def test_a_release_exposes_nobody_to_what_was_killed(store, split):
    await store.put("s", split(5000), expected_version=None, intent=ME)
    await store.put("s.shadow", shadow_document("air-v1", 5, salt="x"), expected_version=None, intent=ME)
    await store.kill("s", killed=True, intent=ME)
    await store.kill("s", killed=False, intent=ME)
    records = {record.key: record.document for record in (await store.contents()).records}

    assert [(share.arm, share.weight) for share in read_split(records["s"]).shares] == [("stable", 10_000)]
    assert all(share.weight == 0 for share in read_split(records["s.shadow"]).shares if share.arm == "shadow")
    assert killed_salt(records["s"]) == read_split(split(5000)).salt


async def test_a_shadow_flag_made_after_the_kill_sends_no_copies_either(store, split):
    await store.put("s", split(5000), expected_version=None, intent=ME)
    await store.kill("s", killed=True, intent=ME)
    assert (await store.put("s.shadow", split(0), expected_version=None, intent=ME)).killed
    assert not (await store.put("s-2.shadow", split(0), expected_version=None, intent=ME)).killed
    await store.kill("s", killed=False, intent=ME)
    assert not (await store.get("s.shadow")).killed


async def test_a_deleted_flag_leaves_its_history_and_its_version_numbers(store, split):
    await store.put("f", split(0), expected_version=None, intent=ME)
    with pytest.raises(VersionConflictError, match="the store has version 1"):
        await store.delete("f", expected_version=2, intent=ME)
    gone = await store.delete("f", expected_version=1, intent=Intent("kim", "tidy up"))
    assert (gone.version, gone.revision, gone.after, gone.actor) == (2, 2, None, "kim")
    assert await store.get("f") is None
    assert (await store.history("f"))[0] == gone == await store.change("f", 2)
    with pytest.raises(VersionConflictError, match="the store has no such flag"):
        await store.put("f", split(1), expected_version=1, intent=ME)
    with pytest.raises(VersionConflictError, match="the store has no such flag"):
        await store.delete("f", expected_version=2, intent=ME)
    assert (await store.put("f", split(1), expected_version=None, intent=ME)).version == 3
    assert [(change.version, change.before is None) for change in await store.history("f")] == [
        (3, True), (2, False), (1, True),
    ]  # fmt: skip
    assert await store.revision() == 3


async def test_a_kill_cannot_be_undone_by_deleting(store, split):
    await store.put("s", split(5000), expected_version=None, intent=ME)
    await store.kill("s", killed=True, intent=ME)
    with pytest.raises(KilledFlagError, match="release"):
        await store.delete("s", expected_version=2, intent=ME)
    assert (await store.get("s")).killed
    await store.kill("s", killed=False, intent=ME)
    await store.delete("s", expected_version=3, intent=ME)
    assert await store.revision() == 4


async def test_a_repeated_request_is_applied_once_whatever_was_deleted_meanwhile(store, split):
    made, killed, gone = (Intent("me", "because", f"request-{number}") for number in range(3))
    await store.put("f", split(100), expected_version=None, intent=made)
    await store.kill("f", killed=False, intent=killed)
    first = await store.delete("f", expected_version=2, intent=gone)
    assert await store.delete("f", expected_version=2, intent=gone) == first
    with pytest.raises(VersionConflictError, match="no such flag"):
        await store.put("f", split(100), expected_version=None, intent=made)
    with pytest.raises(UnknownFlagError):
        await store.kill("f", killed=False, intent=killed)
    await store.put("f", split(200), expected_version=None, intent=ME)
    assert await store.delete("f", expected_version=2, intent=gone) == first
    assert (await store.get("f")).version == 4
    assert await store.revision() == 4


async def test_an_unknown_flag_cannot_be_killed(store):
    with pytest.raises(UnknownFlagError, match="GET /v1/flags"):
        await store.kill("f", killed=True, intent=ME)
    assert await store.revision() == 0


@pytest.mark.parametrize("statement", ["UPDATE changes SET actor = 'nobody'", "DELETE FROM changes"])
async def test_the_trail_is_append_only(store, split, statement):
    await store.put("f", split(0), expected_version=None, intent=ME)
    async with store._engine.connect() as connection:
        with pytest.raises(DBAPIError, match="append-only"):
            await connection.execute(text(statement))
    assert [change.actor for change in await store.history("f")] == ["me"]


async def test_a_snapshot_holds_one_moment(store, split):
    await store.put("f", split(0), expected_version=None, intent=ME)
    contents = await store.contents()
    assert (contents.revision, contents.written_at_ms) == (1, 1000)
    assert [record.key for record in contents.records] == ["f"]


async def test_migrations_make_what_the_code_expects_and_undo_it(store):
    from alembic import command
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    async with store._engine.connect() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), tables.metadata)
        )
        assert [item for item in found if item[0] not in ("add_table_comment", "remove_table_comment")] == []
    async with store._engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(migrate.config(sync), "base"))
    await migrate.to_newest(store._engine)
    assert await store.revision() == 0


async def test_services_that_start_together_migrate_once(database):
    opened = await asyncio.gather(*(FlagStore.open(database) for _ in range(1 if "sqlite" in database else 4)))
    assert {await store.revision() for store in opened} == {0}
    for store in opened:
        await store.close()


THEIRS = Intent("them", "because", writer="their set")
SMALL = Bounds(flags=3, document_bytes=3_000, flag_trail=4_000, writer_trail=6_000)


def sized(size: int, number: int = 0) -> dict[str, object]:
    """A document of about so many bytes."""
    return {"state": "ENABLED", "variants": {"a": f"{number}".rjust(size, "x")}, "defaultVariant": "a"}


@pytest.fixture
async def small(database: str) -> AsyncIterator[FlagStore]:
    opened = await FlagStore.open(database, bounds=SMALL)
    yield opened
    await opened.close()


async def test_a_flag_sets_writer_has_so_many_flags_and_no_more_and_nobody_elses_count(small):
    for key in "abc":
        await small.put(key, sized(10), expected_version=None, intent=THEIRS)
    with pytest.raises(FullError, match="has 3 flags, and the limit is 3; delete some"):
        await small.put("d", sized(10), expected_version=None, intent=THEIRS)
    await small.put("a", sized(20), expected_version=1, intent=THEIRS)
    for key in "defg":
        await small.put(key, sized(10), expected_version=None, intent=ME)
    await small.delete("a", expected_version=2, intent=THEIRS)
    await small.put("h", sized(10), expected_version=None, intent=THEIRS)
    assert await small.revision() == 10, "what is refused takes no number"


async def test_a_flag_sets_documents_have_so_many_bytes_and_a_kill_is_never_refused(small):
    await small.put("a", sized(1_000), expected_version=None, intent=THEIRS)
    await small.put("b", sized(1_000), expected_version=None, intent=THEIRS)
    for size in (2_500, 1_900):
        with pytest.raises(FullError, match="more than the limit of 3000; delete some"):
            await small.put("b", sized(size), expected_version=1, intent=THEIRS)
    await small.put("b", sized(9_000), expected_version=1, intent=ME)
    with pytest.raises(FullError, match="limit of 3000"):
        await small.put("a", sized(1_000), expected_version=1, intent=THEIRS)
    assert (await small.kill("a", killed=True, intent=THEIRS)).killed


async def test_of_old_changes_who_when_and_why_stay_and_the_documents_are_forgotten(small):
    for version in range(20):
        await small.put("f", sized(400, version), expected_version=version or None, intent=ME)
    found = await small.history("f")
    assert [change.version for change in found] == list(range(20, 0, -1))
    assert {(change.actor, change.reason, change.at_ms > 0) for change in found} == {("me", "because", True)}
    kept = [change for change in found if not change.forgotten]
    assert kept == list(found[: len(kept)]), "the oldest go first"
    assert 3 <= len(kept) <= 6
    assert (found[-1].before, found[-1].after, found[-1].forgotten) == (None, None, True)
    assert (await small.get("f")).document == sized(400, 19)


async def test_the_trail_of_a_flag_sets_writer_is_bounded_over_all_its_flags_also_deleted_ones(small):
    await small.put("mine", sized(1_000), expected_version=None, intent=ME)
    for number in range(20):
        await small.put(f"f{number}", sized(1_000), expected_version=None, intent=THEIRS)
        await small.delete(f"f{number}", expected_version=1, intent=THEIRS)
    changes = await small.changes_since(0)
    assert len(changes) == 41
    assert sum(not change.forgotten for change in changes if change.actor == "them") <= 8
    assert not next(change for change in changes if change.actor == "me").forgotten


async def test_a_replica_that_is_far_behind_reads_everything_anew(small):
    publisher = Publisher(small, "pitwall")
    await small.put("f", sized(400), expected_version=None, intent=ME)
    await small.put("still", sized(10), expected_version=None, intent=THEIRS)
    await publisher.refresh()
    await small.put("still", sized(20), expected_version=1, intent=THEIRS)
    for number in range(8):
        await small.put("g", sized(1_000, number), expected_version=number or None, intent=THEIRS)
    assert any(change.forgotten for change in await small.changes_since(2))

    snapshot = await publisher.refresh()
    assert sorted(snapshot.flag_set.documents) == ["f", "g", "still"]
    assert snapshot.flag_set.documents["still"]["variants"] == sized(20)["variants"]


async def test_a_page_of_history_holds_so_many_bytes_or_one_change(store):
    for version in range(5):
        await store.put("f", sized(PAGE_BYTES // 4, version), expected_version=version or None, intent=ME)
    first = await store.history("f")
    assert [change.version for change in first] == [5]
    assert [change.version for change in await store.history("f", before_version=3)] == [2, 1]
    assert [change.version for change in await store.history("f", before_version=2)] == [1]
    assert await store.history("f", before_version=1) == ()


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'nobody'",
        "after = 'null'",
        "bytes = 0, before = NULL, after = '', reason = ''",
        "bytes = 0, after = ''",
    ],
)
async def test_to_forget_a_document_changes_nothing_else_of_the_trail(store, split, change):
    await store.put("f", split(0), expected_version=None, intent=ME)
    await store.put("f", split(100), expected_version=1, intent=ME)
    async with store._engine.connect() as connection:
        with pytest.raises(DBAPIError, match="append-only"):
            await connection.execute(text(f"UPDATE changes SET {change}"))
