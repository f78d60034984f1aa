"""Who holds the lease, by an API server that may be away, slow, or told otherwise by another replica."""

import asyncio
import copy

import pytest

from pitwall_operator.kube.lease import DURATION_SECONDS, MARGIN_SECONDS, Lease
from pitwall_operator.values.errors import KubeConflictError, KubeNotFoundError, KubeUnreachableError


class LeaseKube:
    """One Lease object, with optimistic locking; down when it is told so."""

    def __init__(self) -> None:
        self.found: dict | None = None
        self.version, self.down, self.loses, self.writes = 0, False, False, 0

    async def get(self, kind, namespace, name):
        if self.down:
            raise KubeUnreachableError("down")
        if self.found is None:
            raise KubeNotFoundError(name)
        return copy.deepcopy(self.found)

    async def put_lease(self, manifest):
        if self.down:
            raise KubeUnreachableError("down")
        known = manifest["metadata"].get("resourceVersion")
        if self.loses or (self.found is not None and known != self.found["metadata"]["resourceVersion"]):
            raise KubeConflictError("somebody was faster")
        self.version += 1
        self.writes += 1
        metadata = {**manifest["metadata"], "uid": "u", "resourceVersion": str(self.version)}
        self.found = {**copy.deepcopy(manifest), "metadata": metadata}
        return self.found

    @property
    def holder(self) -> str:
        return self.found["spec"]["holderIdentity"]


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def kube() -> LeaseKube:
    return LeaseKube()


@pytest.fixture
async def replica(kube, now):
    """Makes replicas of one clock."""
    return lambda identity: Lease(kube, "shop", "pitwall", identity, lambda: now[0])


async def test_the_first_holds_it_and_the_second_waits(replica, kube):
    one, two = replica("one"), replica("two")
    for each in (one, two, one, two):
        await each._try_once()

    assert (one.may_act(), two.may_act()) == (True, False)
    assert (one.leading.is_set(), two.leading.is_set()) == (True, False)
    assert kube.holder == "one"


async def test_before_the_first_step_nobody_may_act(replica):
    assert not replica("one").may_act()


async def test_who_cannot_renew_stops_before_another_may_begin(replica, kube, now):
    """At no moment may both act, although neither can ask the other."""
    one, two = replica("one"), replica("two")
    await one._try_once()
    kube.down = True
    both, one_stopped, two_began = False, 0.0, 0.0
    for _ in range(60):
        now[0] += 0.5
        await one._try_once()
        kube.down = False
        await two._try_once()
        kube.down = True
        both |= one.may_act() and two.may_act()
        one_stopped = one_stopped or (0.0 if one.may_act() else now[0])
        two_began = two_began or (now[0] if two.may_act() else 0.0)
        if two_began:
            break

    assert not both
    assert one_stopped - 1000 <= DURATION_SECONDS - MARGIN_SECONDS
    assert two_began - one_stopped >= MARGIN_SECONDS
    assert not one.leading.is_set()


async def test_a_takeover_is_counted_and_a_renewal_is_not(replica, kube, now):
    one, two = replica("one"), replica("two")
    await one._try_once()
    await one._try_once()
    assert kube.found["spec"]["leaseTransitions"] == 0
    await two._try_once()
    now[0] += DURATION_SECONDS
    await two._try_once()

    assert (kube.holder, kube.found["spec"]["leaseTransitions"]) == ("two", 1)


async def test_a_renewal_seen_in_time_begins_the_wait_anew(replica, kube, now):
    one, two = replica("one"), replica("two")
    for _ in range(5):
        await one._try_once()
        await two._try_once()
        now[0] += DURATION_SECONDS - 1

    assert kube.holder == "one"
    assert not two.may_act()


async def test_a_lease_made_anew_under_the_same_name_begins_the_wait_anew(replica, kube, now):
    one, two = replica("one"), replica("two")
    await one._try_once()
    await two._try_once()
    now[0] += DURATION_SECONDS
    kube.found["metadata"]["uid"] = "another"
    await two._try_once()

    assert kube.holder == "one"


async def test_who_is_overtaken_between_look_and_write_does_not_hold_it(replica, kube):
    one = replica("one")
    await one._try_once()
    kube.loses = True
    two = replica("two")
    kube.found["spec"]["holderIdentity"] = ""
    await two._try_once()

    assert not two.may_act()
    assert not two.leading.is_set()


async def test_who_sees_another_holder_stops_at_once(replica, kube):
    one = replica("one")
    await one._try_once()
    kube.found["spec"]["holderIdentity"] = "two"
    await one._try_once()

    assert not one.may_act()
    assert not one.leading.is_set()


async def test_a_lease_that_is_given_back_is_taken_over_at_once(replica, kube, now):
    one, two = replica("one"), replica("two")
    await one._try_once()
    await two._try_once()
    await one.release()
    assert (kube.holder, one.may_act(), one.leading.is_set()) == ("", False, False)
    await two._try_once()
    assert two.may_act()


async def test_what_is_not_held_is_not_given_back(replica, kube):
    one, two = replica("one"), replica("two")
    await one._try_once()
    writes = kube.writes
    await two.release()
    assert (kube.holder, kube.writes) == ("one", writes)

    kube.found["spec"]["holderIdentity"] = "two"
    await one.release()
    assert (kube.holder, kube.writes) == ("two", writes), "another has it by now"


async def test_giving_back_while_the_api_server_is_away_ends_all_the_same(replica, kube):
    one = replica("one")
    await one._try_once()
    kube.down = True
    await one.release()

    assert not one.may_act()


async def test_keeping_goes_on_until_told_to_stop_whatever_fails(replica, kube):
    one, stopped = replica("one"), asyncio.Event()
    kube.down = True
    keeping = asyncio.create_task(one.keep(stopped))
    await asyncio.sleep(0)
    kube.down = False
    async with asyncio.timeout(20):
        await one.leading.wait()
        stopped.set()
        await keeping
    assert kube.holder == "one"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(None, id="none at all"),
        pytest.param({"leaseTransitions": 2**31 - 1}, id="one more change of hands than can be counted"),
        pytest.param({"holderIdentity": "one", "strategy": "OldestEmulationVersion"}, id="of another kind of election"),
    ],
)
async def test_a_lease_that_others_wrote_is_taken_and_written_anew(replica, kube, spec):
    one = replica("one")
    await one._try_once()
    kube.found = {**kube.found, "spec": spec}
    await one._try_once()

    assert one.may_act()
    assert kube.holder == "one"
    assert kube.found["spec"].keys() <= {
        "holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime", "leaseTransitions",
    }  # fmt: skip
    assert kube.found["spec"].get("leaseTransitions", 0) < 2**31
    kube.found = {**kube.found, "spec": None}
    await one.release()
