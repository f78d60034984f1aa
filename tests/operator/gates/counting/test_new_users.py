"""Users are counted once, also where a gateway begins anew under its old name."""

from dataclasses import replace

from pitwall_crds.names import Arm
from pitwall_flags.flag.document import split_name
from pitwall_operator.gates.counting import new_users


def counted(world, status, **users: int):
    """The status after a block in which the gateway shows so many users of each arm, and the new ones by arm."""
    split = split_name(status.run_id, {share.arm: share.weight_basis_points for share in status.weights})
    world.counters.users.clear()
    for share in status.weights:
        world.counters.meet(share.variant, share.arm, users[share.arm], split)
    status, block = new_users.count(world.rollout.spec, status, world.seen().reading)
    assert block is not None
    return status, dict(zip(block.arms, block.users[0][1], strict=True))


def test_where_one_arms_counter_fell_all_arms_began_anew(world):
    world.to_canary().until(lambda w: len(w.status.weights) > 1, world.good_block)
    status, first = counted(world, world.status, candidate=3, control=9, stable=900)
    status, second = counted(world, status, candidate=4, control=10, stable=950)
    status, anew = counted(world, status, candidate=5, control=2, stable=80)
    _, after = counted(world, status, candidate=6, control=2, stable=85)

    assert first == {Arm.CANDIDATE: 3, Arm.CONTROL: 9, Arm.STABLE: 900}
    assert second == {Arm.CANDIDATE: 1, Arm.CONTROL: 1, Arm.STABLE: 50}
    assert anew == {Arm.CANDIDATE: 5, Arm.CONTROL: 2, Arm.STABLE: 80}
    assert after == {Arm.CANDIDATE: 1, Arm.CONTROL: 0, Arm.STABLE: 5}


def test_an_older_view_of_a_gateway_counts_nobody_again(world):
    """Two replicas of Prometheus answer in turn, one of which is a scrape behind."""
    world.to_canary().until(lambda w: len(w.status.weights) > 1, world.good_block)
    status, first = counted(world, world.status, candidate=30, control=90, stable=900)
    status, older = counted(world, status, candidate=29, control=91, stable=880)
    status, same = counted(world, status, candidate=30, control=90, stable=900)
    _, after = counted(world, status, candidate=31, control=92, stable=920)

    assert first == {Arm.CANDIDATE: 30, Arm.CONTROL: 90, Arm.STABLE: 900}
    assert older == same == {Arm.CANDIDATE: 0, Arm.CONTROL: 0, Arm.STABLE: 0}
    assert after == {Arm.CANDIDATE: 1, Arm.CONTROL: 2, Arm.STABLE: 20}


def test_a_gateway_that_is_scraped_by_another_address_counts_nobody_again(world):
    world.to_canary().until(lambda w: len(w.status.weights) > 1, world.good_block)
    status = world.status
    split = split_name(status.run_id, {share.arm: share.weight_basis_points for share in status.weights})
    for share in status.weights:
        world.counters.meet(share.variant, share.arm, 100, split)
    reading = world.seen().reading
    ((_, source),) = reading.sources.items()
    told = []
    for address in ("10.0.0.7:9464", "node-3"):
        seen = replace(reading, sources={f"qa/gateway-a/{address}@1800000000": source})
        status, block = new_users.count(world.rollout.spec, status, seen)
        told.append(sum(block.users[0][1]))

    assert told == [100 * len(status.weights), 0]
