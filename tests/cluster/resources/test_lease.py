"""One replica leads, whatever the clocks say: against a real API server, with clocks of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from pitwall_operator.kube import lease as leases
from pitwall_operator.kube.client import CONFIG_MAPS, Kube, connect
from pitwall_operator.kube.fence import Fence
from pitwall_operator.kube.lease import Lease
from pitwall_operator.values.errors import NotLeaderError

pytestmark = pytest.mark.slow


class CountedLease:
    def count(self, verb: str, resource: str) -> None:
        return


class LeaseClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def kube(kubectl, namespace) -> AsyncIterator[Kube]:
    opened = await connect(kubectl.kubeconfig, Fence(lambda: True, CountedLease()))
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> LeaseClock:
    return LeaseClock()


@pytest.fixture
def replica(kube, namespace, clock) -> Callable[[str], Lease]:
    return lambda name: Lease(kube, namespace, "pitwall", name, clock)


async def test_the_first_one_leads_and_the_second_waits(replica):
    a, b = replica("a"), replica("b")
    await a._try_once()
    await b._try_once()
    assert a.may_act()
    assert a.leading.is_set()
    assert not b.may_act()


async def test_a_holder_that_vanished_is_followed_after_its_time_and_stops_acting_before(replica, clock):
    a, b = replica("a"), replica("b")
    await a._try_once()
    await b._try_once()
    acted = []
    for _ in range(60):
        clock.now += 0.5
        await b._try_once()
        acted.append((a.may_act(), b.may_act()))
        if b.may_act():
            break
    assert (True, True) not in acted
    assert acted[0] == (True, False)
    assert acted[-1] == (False, True)
    assert clock.now - 1000 <= leases.DURATION_SECONDS + 2


async def test_one_that_renews_is_never_followed(replica, clock):
    a, b = replica("a"), replica("b")
    for _ in range(20):
        await a._try_once()
        await b._try_once()
        assert a.may_act()
        assert not b.may_act()
        clock.now += leases.RENEW_SECONDS


async def test_of_many_that_want_it_at_once_one_gets_it(replica, clock):
    many = [replica(f"r{number}") for number in range(8)]
    for _ in range(3):
        await asyncio.gather(*(one._try_once() for one in many))
        assert sum(one.may_act() for one in many) == 1


async def test_what_is_given_back_is_taken_at_once(replica):
    a, b = replica("a"), replica("b")
    await a._try_once()
    await b._try_once()
    await a.release()
    await b._try_once()
    assert not a.may_act()
    assert b.may_act()


async def test_a_wall_clock_that_jumps_changes_nothing(replica, kube, namespace, clock):
    """A peer whose clock is an hour ahead, or behind, writes strange times; they are for people."""
    a, b = replica("a"), replica("b")
    await a._try_once()
    await b._try_once()
    for strange in ("2000-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"):
        found = await kube.get(leases.LEASES, namespace, "pitwall")
        found["spec"]["renewTime"] = strange
        await kube.put_lease(found)
        await b._try_once()
        assert not b.may_act()
        assert a.may_act()


async def test_nothing_is_begun_by_a_replica_whose_lease_may_have_run_out(kubectl, namespace, replica, clock):
    a = replica("a")
    fenced = await connect(kubectl.kubeconfig, Fence(a.may_act, CountedLease()))
    manifest = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": "x"}, "data": {"n": "1"},
    }  # fmt: skip
    with pytest.raises(NotLeaderError):
        await fenced.apply(CONFIG_MAPS, manifest)
    await a._try_once()
    await fenced.apply(CONFIG_MAPS, manifest)
    clock.now += leases.DURATION_SECONDS - leases.MARGIN_SECONDS
    with pytest.raises(NotLeaderError):
        await fenced.apply(CONFIG_MAPS, manifest)
    assert (await fenced.get(CONFIG_MAPS, namespace, "x"))["data"] == {"n": "1"}
    await fenced.close()
