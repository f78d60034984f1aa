"""Statuses are written when they say something new, and never over what somebody else wrote meanwhile."""

import copy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import Phase
from pitwall_operator.cluster.controller.statuses import WORDS_SECONDS, StatusWriter
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.errors import KubeConflictError, KubeNotFoundError, OvertakenError

KEY = ("shop", "a")
EXAMPLE = Path(__file__).parents[4] / "examples" / "rollout.yaml"
SPEC = next(one.to_manifest()["spec"] for one in load_file(EXAMPLE) if isinstance(one, Rollout))


def rollout(version: int = 1, **status: Any) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": "a", "uid": "a", "generation": 1, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": SPEC, "status": {"observedGeneration": 1, **status}}


class StatusKube:
    """The API server's statuses, with optimistic locking."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = rollout()
        self.written: list[dict[str, Any]] = []

    def clock(self) -> float:
        return 1_800_000_000.0

    async def get(self, *_: Any) -> dict[str, Any]:
        if self.stored is None:
            raise KubeNotFoundError("a")
        return copy.deepcopy(self.stored)

    async def replace_status(self, _kind: Any, found: dict[str, Any]) -> dict[str, Any]:
        known = await self.get()
        version = known["metadata"]["resourceVersion"]
        if found["metadata"]["resourceVersion"] != version:
            raise KubeConflictError("somebody was faster")
        self.written.append(found["status"])
        metadata = {**found["metadata"], "resourceVersion": str(int(version) + 1)}
        self.stored = {**found, "metadata": metadata}
        return copy.deepcopy(self.stored)


class HeardEvents:
    """Events that are kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def announce(self, _found: Any, effect: Announce) -> None:
        self.said.append(effect.message)


@pytest.fixture
def kube() -> StatusKube:
    return StatusKube()


@pytest.fixture
def events() -> HeardEvents:
    return HeardEvents()


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def cache() -> Cache:
    made = Cache()
    made.put(ROLLOUTS, rollout())
    return made


@pytest.fixture
def writer(kube, cache, events, now) -> StatusWriter:
    return StatusWriter(kube, cache, events, lambda: now[0])


async def write(writer: StatusWriter, cache: Cache, **changes: Any) -> None:
    """As a turn does: what it read is what the cache has."""
    found = cache.get(ROLLOUTS, KEY)
    known = Rollout.model_validate(found)
    await writer.write(found, known, known.status.model_copy(update=changes))


async def test_what_says_nothing_new_is_not_written(writer, cache, kube):
    await write(writer, cache)

    assert kube.written == []


async def test_words_alone_are_written_now_and_then_and_deeds_at_once(writer, cache, kube, now):
    await write(writer, cache, reason="one")
    await write(writer, cache, reason="two")
    await write(writer, cache, phase=Phase.CANARY, reason="three")
    now[0] += WORDS_SECONDS
    await write(writer, cache, reason="four")

    assert [status["reason"] for status in kube.written] == ["one", "three", "four"]


async def test_what_somebody_else_changed_is_read_and_not_overwritten(writer, cache, kube):
    kube.stored = rollout(7, reason="theirs")

    with pytest.raises(OvertakenError):
        await write(writer, cache, reason="ours")
    assert kube.written == []
    assert cache.get(ROLLOUTS, KEY)["status"]["reason"] == "theirs"


async def test_what_is_gone_leaves_the_cache_and_nothing_is_done_for_it(writer, cache, kube):
    kube.stored = None
    with pytest.raises(OvertakenError):
        await write(writer, cache, reason="ours")

    assert cache.get(ROLLOUTS, KEY) is None


async def test_a_turn_that_broke_is_said_once_and_the_rest_of_the_status_stays(writer, cache, kube):
    cache.put(ROLLOUTS, rollout(2, stableVariant="uniform"))
    kube.stored = rollout(2, stableVariant="uniform")
    for _ in range(2):
        await writer.tell_broken(KEY, ZeroDivisionError("a bug"))

    (written,) = kube.written
    assert written["stableVariant"] == "uniform"
    assert "ZeroDivisionError: a bug" in written["conditions"][0]["message"]
    assert written["conditions"][0]["status"] == "False"


async def test_a_standstill_is_said_in_the_status_and_as_an_event(writer, cache, kube, events):
    await writer.tell_standstill(cache.get(ROLLOUTS, KEY), "Leases are forbidden")

    assert "Leases are forbidden" in kube.written[0]["reason"]
    assert len(events.said) == 1


@pytest.mark.parametrize(
    "status", ["x", ["x"], {"conditions": "x"}, {"conditions": ["x", 1, {"type": "Ready"}]}], ids=str
)
async def test_what_cannot_be_read_is_told_whatever_its_status_is(writer, cache, kube, status):
    kube.stored = {**rollout(2), "spec": {"flag": 1}, "status": status}
    cache.put(ROLLOUTS, kube.stored)
    found = cache.get(ROLLOUTS, KEY)
    with pytest.raises(ValidationError) as caught:
        Rollout.model_validate(found)
    await writer.refuse(found, caught.value)

    (written,) = kube.written
    assert written["phase"] == Phase.INVALID
    assert [(one["type"], one["status"]) for one in written["conditions"]] == [("Ready", "False")]
