"""Any order of writes, kills, releases and deletions, with restarts in between: the trail is whole and says what is."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitwall_flags.errors import FlagsError, KilledFlagError, UnknownFlagError, VersionConflictError
from pitwall_flags.flag.record import ChangeKind, FlagRecord, Intent
from pitwall_flags.storage.store import FlagStore

KEYS = st.sampled_from(["f", "f.shadow", "g"])
ACTIONS = st.lists(
    st.tuples(st.sampled_from(["put", "put stale", "kill", "release", "delete", "restart"]), KEYS, st.booleans()),
    max_size=14,
)
DOCUMENT = {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a", "targeting": {"if": [True, "a", "a"]}}


class Told:
    """What the store should know, kept beside it: flags by key, and the number of changes."""

    def __init__(self) -> None:
        self.flags: dict[str, tuple[int, bool]] = {}
        self.last: dict[str, int] = {}
        self.changes = 0

    def changed(self, key: str, killed: bool | None) -> None:
        self.changes += 1
        self.last[key] = self.last.get(key, 0) + 1
        if killed is None:
            del self.flags[key]
        else:
            self.flags[key] = (self.last[key], killed)


async def act(store: FlagStore, told: Told, action: str, key: str, number: int) -> None:
    """Do one thing to the store; what it does, and what it refuses, is what `told` expects."""
    intent = Intent("kim", "because", f"request-{number}")
    version, killed = told.flags.get(key, (None, False))
    parents = [name for name, (_, dead) in told.flags.items() if dead and key.startswith(name + ".")]
    match action:
        case "put":
            await store.put(key, DOCUMENT, expected_version=version, intent=intent)
            told.changed(key, killed if version else bool(parents))
        case "put stale":
            await refused(store.put(key, DOCUMENT, expected_version=99, intent=intent), VersionConflictError)
        case "delete" if version is None or killed:
            error = KilledFlagError if killed else VersionConflictError
            await refused(store.delete(key, expected_version=version or 1, intent=intent), error)
        case "delete":
            await store.delete(key, expected_version=version, intent=intent)
            told.changed(key, None)
        case _ if version is None:
            await refused(store.kill(key, killed=action == "kill", intent=intent), UnknownFlagError)
        case _:
            await store.kill(key, killed=action == "kill", intent=intent)
            for name in sorted(told.flags):
                if name == key or name.startswith(key + "."):
                    told.changed(name, action == "kill")


async def refused(work, error: type[FlagsError]) -> None:
    try:
        await work
    except error:
        return
    raise AssertionError(f"{error.__name__} was expected")


async def live(url: str, actions) -> None:
    store, told = await FlagStore.open(url), Told()
    try:
        for number, (action, key, twice) in enumerate(actions):
            if action == "restart":
                await store.close()
                store = await FlagStore.open(url)
                continue
            before = told.flags.get(key)
            await act(store, told, action, key, number)
            if twice and action in ("kill", "release") and before:  # the answer was lost, and the request comes again
                await store.kill(key, killed=action == "kill", intent=Intent("kim", "because", f"request-{number}"))
        await check(store, told)
    finally:
        await store.close()


async def check(store: FlagStore, told: Told) -> None:
    contents = await store.contents()
    assert {record.key: (record.version, record.killed) for record in contents.records} == told.flags
    assert await store.revision() == contents.revision == told.changes
    trail = await store.changes_since(0)
    assert [change.revision for change in trail] == list(range(1, told.changes + 1)), "numbered without gaps"
    state: dict[str, object] = {}
    for change in trail:
        assert change.before == state.get(change.key), "each change begins where the one before ended"
        assert (change.after is None) == (change.action is ChangeKind.DELETE)
        state[change.key] = change.after
    assert {key: after for key, after in state.items() if after is not None} == {
        record.key: record.effective() for record in contents.records
    }
    for key, version in told.last.items():
        assert [change.version for change in await store.history(key)] == list(range(version, 0, -1))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS)
def test_whatever_happens_the_trail_leads_from_nothing_to_what_is(actions):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(f"sqlite+aiosqlite:///{Path(folder) / 'flags.db'}", actions))


def test_a_killed_flag_gives_everybody_its_default_and_says_so_in_its_metadata():
    record = FlagRecord("f", DOCUMENT | {"metadata": {"owner": "video", "version": "mine"}}, 7, killed=True)

    assert record.effective() == {
        "state": "ENABLED",
        "variants": {"a": "x"},
        "defaultVariant": "a",
        "metadata": {"owner": "video", "version": "7", "killed": True},
    }
    assert "targeting" in FlagRecord("f", DOCUMENT, 7).effective()
