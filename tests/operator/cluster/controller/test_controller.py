"""The controller with ports of the test's own: nothing is acted on without the lease, nothing stops the queue."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from pitwall_crds.host.backoff import Backoff
from pitwall_flags.errors import FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import OWNER, ArmShare, shadow_document, split_document
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.cluster.controller.controller import Controller
from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.decision.permission.runnable import Known
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import DEPLOYMENTS, ROLLOUTS, VARIANTS
from pitwall_operator.values.errors import KubeRefusedError, KubeUnreachableError, OvertakenError, TurnFailedError

A, B = ("shop", "a"), ("shop", "b")


def rollout(name: str, version: int = 1, variant: str = "aks", flag: str = "") -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"flag": flag or name, "variantRef": {"name": variant}}}


class FakeKube:
    """The API server's lists."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.down = False
        self.refused = 0
        self.forbidden: set[str] = set()

    async def pages(self, kind: Any, namespace: str = "", selector: str = "", *, heads: bool = False) -> Any:
        if kind.plural in self.forbidden:
            raise KubeRefusedError(f"{kind.plural} is forbidden: the user cannot list them")
        if self.down:
            self.refused += 1
            raise KubeUnreachableError("down")
        yield {"metadata": {"resourceVersion": "100"}, "items": self.items.get(kind.plural, [])}


class FakeReconciler:
    """Turns that are counted, and end as told."""

    def __init__(self) -> None:
        self.resync_seconds = 600.0
        self.taken: Counter[tuple[str, str]] = Counter()
        self.running: Counter[tuple[str, str]] = Counter()
        self.most_at_once = 0
        self.outcomes: dict[tuple[str, str], list[Any]] = {}
        self.described: list[tuple[str, str]] = []
        self.told: list[tuple[str, str]] = []
        self.told_broken: list[tuple[tuple[str, str], str]] = []
        self.platform = self.claims = self.writer = self
        self.known = Known()
        self.drained: list[tuple[str, str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def settle(self) -> bool:
        return False

    async def take(self, key: tuple[str, str]) -> float | None:
        assert not self.running[key], "two turns of one rollout at once"
        self.running[key] += 1
        self.most_at_once = max(self.most_at_once, self.running.total())
        await self.open.wait()
        await asyncio.sleep(0)
        self.running[key] -= 1
        self.taken[key] += 1
        outcome = next(iter(self.outcomes.get(key, ())), 600.0)
        if self.outcomes.get(key):
            self.outcomes[key].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def tell_standstill(self, found: Any, words: str) -> None:
        self.told.append((found["metadata"]["name"], words))

    async def describe(self, key: tuple[str, str]) -> None:
        self.described.append(key)

    async def tell_broken(self, key: tuple[str, str], error: Exception) -> None:
        self.told_broken.append((key, str(error)))
        raise KubeUnreachableError("and that cannot be written either")

    def forget(self, kind: Any, key: tuple[str, str]) -> None:
        return

    def of(self, rollout: tuple[str, str]) -> "FakeReconciler":
        return self

    async def drain(self, variant: str, pool: str) -> None:
        self.drained.append((variant, str(pool)))


class FakeFlags:
    def __init__(self) -> None:
        self.records: list[FlagRecord] = []
        self.written: list[str] = []
        self.refused: set[str] = set()
        self.fault: Exception | None = None

    async def list(self) -> tuple[FlagRecord, ...]:
        if self.fault:
            raise self.fault
        return tuple(self.records)

    async def put(self, key: str, document: Any, *, expected_version: int, actor: str, reason: str) -> None:
        if key in self.refused:
            raise FlagRejectedError("403: another's")
        self.written.append(key)
        new = FlagRecord(key, document, expected_version + 1)
        self.records = [*(known for known in self.records if known.key != key), new]


class Silent:
    def turn(self, seconds: float, outcome: str) -> None:
        return

    def waiting(self, count: int) -> None:
        return

    def clear(self) -> None:
        return


class QueueWorld:
    def __init__(self, workers: int = 4) -> None:
        self.kube, self.reconciler, self.flags, self.cache = FakeKube(), FakeReconciler(), FakeFlags(), Cache()
        silent: Any = Silent()
        ports: tuple[Any, ...] = (self.kube, self.cache, self.flags, self.reconciler, silent, silent)
        self.controller = Controller(*ports, workers=workers)
        self.leading, self.stopped = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.controller.lead(self.leading, self.stopped))
        try:
            yield
        finally:
            self.reconciler.open.set()
            self.stopped.set()
            await asyncio.wait_for(task, 60)

    async def until(self, claim: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not claim():  # noqa: ASYNC110 – the claims are about the world, not about one event
                await asyncio.sleep(0.005)


@pytest.fixture
async def world() -> QueueWorld:
    return QueueWorld()


async def test_without_the_lease_nothing_is_done_and_with_it_everything_is_looked_at(world):
    world.kube.items["rollouts"] = [rollout("a"), rollout("b")]
    async with world.running():
        world.controller.changed(ROLLOUTS, rollout("a"))
        with suppress(TimeoutError):
            await asyncio.wait_for(world.until(lambda: world.reconciler.taken), 0.1)
        assert not world.reconciler.taken
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] and world.reconciler.taken[B])


async def test_who_loses_the_lease_stops_and_who_regains_it_looks_at_everything_again(world):
    world.kube.items["rollouts"] = [rollout("a")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
        world.leading.clear()
        await world.until(lambda: not world.controller.leading)
        taken = world.reconciler.taken[A]
        world.controller.changed(ROLLOUTS, rollout("a", 7))
        assert world.reconciler.taken[A] == taken
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] > taken)


@pytest.mark.parametrize(
    "trouble",
    [
        TurnFailedError("the flag service is away"),
        OvertakenError("conflict"),
        KubeUnreachableError("away"),
        ZeroDivisionError("bug"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
async def test_a_turn_that_fails_is_repeated_and_the_others_go_on(world, trouble):
    world.kube.items["rollouts"] = [rollout("a"), rollout("b")]
    world.reconciler.outcomes[A] = [trouble]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 2 and world.reconciler.taken[B] == 1)
    broke = isinstance(trouble, ZeroDivisionError)
    assert world.reconciler.told_broken == ([(A, "bug")] if broke else [])


async def test_news_during_a_turn_brings_another_and_never_a_second_one_at_once(world):
    world.kube.items["rollouts"] = [rollout("a")]
    world.reconciler.open.clear()
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.running[A])
        for version in range(2, 12):
            world.controller.changed(ROLLOUTS, rollout("a", version))
        world.reconciler.open.set()
        await world.until(lambda: world.reconciler.taken[A] == 2)


async def test_no_more_turns_at_once_than_workers():
    world = QueueWorld(workers=3)
    world.kube.items["rollouts"] = [rollout(f"r{number}") for number in range(20)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken.total() == 20)
    assert world.reconciler.most_at_once == 3


async def test_a_changed_variant_wakes_its_rollout_and_a_lone_one_is_described(world):
    world.kube.items["rollouts"] = [rollout("a", variant="aks")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 1)
        for number, name in enumerate(("aks", "lone")):
            metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": str(50 + number)}
            world.controller.changed(VARIANTS, {"metadata": metadata, "spec": {}})
        await world.until(lambda: world.reconciler.taken[A] == 2 and world.reconciler.described == [("shop", "lone")])


async def test_what_was_deleted_while_nobody_watched_is_forgotten(world):
    world.controller.changed(ROLLOUTS, rollout("ghost", 5))
    world.kube.items["rollouts"] = [rollout("a")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
    assert world.cache.get(ROLLOUTS, ("shop", "ghost")) is None
    assert not world.reconciler.taken[("shop", "ghost")]


async def test_what_the_operator_may_not_look_at_is_told_on_every_rollout_once_and_by_its_probe(world):
    world.kube.items["rollouts"] = [rollout("a"), rollout("b")]
    world.kube.forbidden = {"poddisruptionbudgets"}
    world.leading.set()
    async with world.running():
        await world.until(lambda: len(world.reconciler.told) == 2)
        assert "poddisruptionbudgets is forbidden" in world.controller.refused
        world.kube.forbidden.clear()
        await world.until(lambda: world.reconciler.taken[A])

    assert sorted(name for name, _ in world.reconciler.told) == ["a", "b"]
    assert world.controller.refused == ""


async def test_an_api_server_that_is_away_is_asked_again(world):
    world.kube.items["rollouts"] = [rollout("a")]
    world.kube.down = True
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.kube.refused > 1)
        world.kube.down = False
        await world.until(lambda: world.reconciler.taken[A])


def marked(found: dict[str, Any], version: int) -> dict[str, Any]:
    """Deleted, and still there for the sake of somebody's finalizer."""
    gone = {"deletionTimestamp": "2026-01-02T00:00:00Z", "finalizers": ["example.org/wait"]}
    return {**found, "metadata": found["metadata"] | gone | {"resourceVersion": str(version)}}


@pytest.mark.parametrize("with_finalizer", [False, True], ids=["gone", "waiting for a finalizer"])
async def test_a_deleted_rollouts_users_go_back_and_its_idle_pods_go(world, with_finalizer):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/a"}}
    world.kube.items["rollouts"] = [rollout("a")]
    labels = {"pitwall.dev/rollout": "a", "pitwall.dev/variant": "aks", "pitwall.dev/pool": "main"}
    metadata = {"namespace": "shop", "name": "aks", "uid": "u", "resourceVersion": "3", "labels": labels}
    world.kube.items["deployments"] = [{"metadata": metadata, "spec": {"replicas": 1}}]
    world.flags.records = [FlagRecord("a", document, 4)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
        assert world.flags.written == []
        if with_finalizer:
            world.reconciler.outcomes[A] = [None]
            world.controller.changed(ROLLOUTS, marked(rollout("a"), 200))
        else:
            world.controller.deleted(ROLLOUTS, rollout("a", 200))
        await world.until(lambda: world.flags.written == ["a"])
        await world.until(lambda: world.reconciler.drained == [("aks", "main")])
    assert world.cache.get(DEPLOYMENTS, ("shop", "aks")) is not None


@pytest.mark.parametrize("deletion_seen", [False, True], ids=["nobody saw it go", "it was seen to go"])
async def test_the_users_of_a_former_flag_go_back_when_its_rollout_was_made_anew_with_another(world, deletion_seen):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/a"}}
    world.kube.items["rollouts"] = [rollout("a")]
    world.flags.records = [FlagRecord("a", document, 4)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
        world.flags.fault = FlagsUnreachableError("away")
        if deletion_seen:
            world.controller.deleted(ROLLOUTS, rollout("a", 200))
        anew = rollout("a", 201, flag="b")
        world.controller.changed(ROLLOUTS, {**anew, "metadata": anew["metadata"] | {"uid": "anew"}})
        assert world.flags.written == []
        world.flags.fault = None
        await world.until(lambda: world.flags.written == ["a"])


JUNK = [
    pytest.param({"spec": {"variantRef": "aks", "flag": 7, "experiments": {"a": 1}}}, id="scalars for mappings"),
    pytest.param({"spec": [], "status": "Stable"}, id="lists and words for mappings"),
    pytest.param({"spec": {"experiments": [1, None, {"variantRef": {"name": ["x"]}}]}}, id="entries of no shape"),
    pytest.param({"spec": None, "status": {"experiments": "all", "stableVariant": {}}}, id="nulls"),
]


@pytest.mark.parametrize("content", JUNK)
async def test_an_object_of_no_shape_stops_nobody_else(world, content):
    world.kube.items["rollouts"] = [{**rollout("a"), **content}, rollout("b")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[B])
        world.controller.changed(ROLLOUTS, {**rollout("a", 7), **content})
        await world.until(lambda: world.reconciler.taken[A] >= 1)


async def test_a_sweep_that_breaks_is_begun_again_and_makes_the_process_unhealthy_until_it_goes_well(world):
    world.kube.items["rollouts"] = [rollout("a")]
    world.controller.background.again = Backoff(0.001, 0.001)
    world.flags.fault = ZeroDivisionError("no such sweep")
    async with world.running():
        world.leading.set()
        await world.until(world.controller.background.trouble)
        assert "sweep failed" in world.controller.background.trouble()
        assert "no such sweep" in world.controller.background.trouble()
        world.flags.fault = None
        await world.until(lambda: not world.controller.background.trouble())
    assert world.controller.background.trouble() == ""


class Unreadable(dict[str, Any]):
    """Metadata at which reading breaks, whatever is read."""

    def get(self, *_: Any) -> Any:
        raise ZeroDivisionError("nobody thought of this")


async def test_a_flag_at_which_the_sweep_breaks_holds_up_no_other_and_is_logged_once(world, caplog):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/gone"}}
    broken = {**document, "metadata": Unreadable({OWNER: "shop/gone"})}
    world.flags.records = [FlagRecord("broken", broken, 1), FlagRecord("good", document, 4)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: "good" in world.flags.written)
        world.flags.records.append(FlagRecord("later", document, 4))
        world.controller.deleted(ROLLOUTS, rollout("a", 1))
        world.controller._sweep_soon.set()
        await world.until(lambda: "later" in world.flags.written)
        assert world.controller.background.trouble() == ""
    assert [record.message for record in caplog.records if record.exc_info] == [
        "flag broken: this broke, and is left as it is; the others go on"
    ]


async def test_pods_are_drained_though_the_flag_of_another_deleted_rollout_cannot_be_brought_to_rest(world):
    moving = split_document([ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)], salt="s")
    resting = split_document([ArmShare("stable", "uniform", 10_000)], salt="s")
    world.flags.records = [
        FlagRecord("refused", {**moving, "metadata": {OWNER: "shop/gone"}}, 4),
        FlagRecord("resting", {**resting, "metadata": {OWNER: "shop/a"}}, 4),
    ]
    world.flags.refused = {"refused"}
    labels = {"pitwall.dev/rollout": "a", "pitwall.dev/variant": "aks", "pitwall.dev/pool": "main"}
    metadata = {"namespace": "shop", "name": "aks", "uid": "u", "resourceVersion": "3", "labels": labels}
    world.kube.items["deployments"] = [{"metadata": metadata, "spec": {"replicas": 1}}]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.drained == [("aks", "main")])


async def test_a_flag_that_claims_a_rollout_of_a_namespace_that_may_not_have_it_moves_nothing_there(world):
    resting = split_document([ArmShare("stable", "x", 10_000)], salt="s")
    moving = split_document([ArmShare("candidate", "x", 1000), ArmShare("stable", "y", 9000)], salt="s")
    world.reconciler.known = Known(prefixes=FlagPrefixes({"evil": ("evil.",), "shop": ("shop.",)}))
    world.flags.records = [
        FlagRecord("evil.y", {**resting, "metadata": {OWNER: "shop/a"}}, 1),
        FlagRecord("evil.z", {**moving, "metadata": {OWNER: "shop/a"}}, 1),
        FlagRecord("shop.b", {**resting, "metadata": {OWNER: "shop/b"}}, 1),
        FlagRecord("shop.b.shadow", {**shadow_document("aks", 5, salt="s"), "metadata": {OWNER: "shop/b"}}, 1),
    ]
    for name in ("a", "b"):
        labels = {"pitwall.dev/rollout": name, "pitwall.dev/variant": f"aks-{name}", "pitwall.dev/pool": "main"}
        metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "3", "labels": labels}
        world.kube.items.setdefault("deployments", []).append({"metadata": metadata, "spec": {"replicas": 1}})
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.flags.written)
        world.controller._sweep_soon.set()
        await world.until(lambda: world.reconciler.drained)
    assert world.flags.written == ["shop.b.shadow"]
    assert world.reconciler.drained == [("aks-b", "main")]


async def test_an_object_at_which_the_operator_breaks_keeps_nobody_else_from_being_listed(world):
    unversioned = {**rollout("a"), "metadata": {"namespace": "shop", "name": "a", "resourceVersion": "new"}}
    world.kube.items["rollouts"] = [unversioned, rollout("b")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[B])


async def test_a_flag_that_cannot_be_brought_to_rest_holds_up_no_other(world):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/gone"}}
    odd = {**document, "metadata": [OWNER]}
    world.flags.records = [
        FlagRecord("odd", odd, 1),
        FlagRecord("refused", document, 4),
        FlagRecord("good", document, 4),
    ]
    world.flags.refused = {"refused"}
    async with world.running():
        world.leading.set()
        await world.until(lambda: "good" in world.flags.written)
