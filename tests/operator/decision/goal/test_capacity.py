"""Whatever is replaced by whatever, in the midst of whatever: nobody is sent to pods that are not ready."""

import random
from dataclasses import dataclass, field, replace

import pytest

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Control, Stage
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.values.effects import RunVariant, SetSplit
from pitwall_operator.values.observation import PoolSeen, ShadowSeen, Share, SplitSeen, Unseen

STABLE_ONLY = (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)


def canary(world):
    """A candidate that has a fifth of the users for a long time."""
    world.apply("rollout-dpp.yaml")
    world.want(
        stages=(Stage(weight_basis_points=2000, min_seconds=9999), Stage(weight_basis_points=10_000, bake_seconds=9999))
    )
    world.point_at("aks-v1")
    return world.until(lambda w: w.weight(Arm.CANDIDATE) == 2000, lambda: None)


def turns(world, count: int = 4):
    for _ in range(count):
        world.turn()
    return world


def test_an_edited_candidates_users_go_back_until_its_own_pods_are_ready(world):
    canary(world)
    world.stuck.add(("aks-v1", "r2"))
    world.edit("aks-v1", "r2")
    turns(world)
    assert world.shares() == STABLE_ONLY
    assert "aks-v1 (main) has 0 of 1 replicas ready" in world.status.reason

    world.start_pods()
    turns(world)
    assert world.weight(Arm.CANDIDATE) == 2000
    assert world.split.salt == world.status.run_id


def test_a_pool_changes_its_revision_only_after_its_users_have_left(world):
    canary(world)
    world.edit("aks-v1", "r2")
    world.applied.clear()
    turns(world)

    moves = [effect for effect in world.applied if isinstance(effect, RunVariant | SetSplit)]
    assert [type(effect) for effect in moves][:2] == [SetSplit, RunVariant]
    assert moves[0].shares == STABLE_ONLY


def test_a_pool_keeps_its_revision_while_nobody_knows_whom_the_flag_sends_to_it(world):
    canary(world)
    world.edit("aks-v1", "r2")
    world.split = Unseen("connection refused")
    turns(world)

    assert world.pools["aks-v1"][Pool.MAIN].revision == "r1"


def test_a_third_variant_waits_for_its_own_pods_and_the_second_ones_users_go_back(world):
    canary(world)
    world.stuck.add(("dpp-v1", "r1"))
    world.point_at("dpp-v1")
    turns(world)

    assert world.shares() == STABLE_ONLY
    assert world.status.candidate_variant == "dpp-v1"
    assert [entry.message for entry in world.status.history if entry.reason == "Withdrawn"] == [
        "aks-v1 was withdrawn: the spec asks for dpp-v1 now"
    ]


def test_a_candidate_that_grows_keeps_what_it_has_until_more_pods_are_ready(world):
    canary(world)
    world.pods_become_ready = False
    world.want(control=Control(dedicated=True))
    world.pools["uniform-v1"].pop(Pool.CONTROL, None)
    world.ask(Verb.PROMOTE)
    world.rollout = world.rollout.model_copy(
        update={"spec": world.rollout.spec.model_copy(update={"stages": (
            Stage(weight_basis_points=2000), Stage(weight_basis_points=4000), Stage(weight_basis_points=10_000),
        )})}
    )  # fmt: skip
    turns(world)

    assert world.status.stage_index == 1
    assert world.weight(Arm.CANDIDATE) == 4000 or "waiting for capacity" in world.status.reason
    assert world.weight(Arm.CONTROL) == 2000


def test_copies_end_when_a_run_ends_and_begin_when_the_next_ones_pods_answer(world):
    world.apply("rollout-aks.yaml")
    world.until(lambda w: w.shadow.percent == 50, lambda: None)
    first = world.shadow.salt
    world.stuck.add(("aks-v1", "r2"))
    world.edit("aks-v1", "r2")
    turns(world)
    assert world.shadow == ShadowSeen()
    assert "waiting for capacity: aks-v1 (main) has 0 of 1 replicas ready" in world.status.reason

    world.start_pods()
    turns(world)
    assert world.shadow == ShadowSeen("aks-v1", 50)
    assert world.shadow.salt == world.status.run_id != first


def test_no_run_begins_before_a_promoted_edit_serves_from_its_main_pool(world):
    canary(world)
    world.point_at("uniform-v1")
    world.turn()
    world.edit("uniform-v1", "r2")
    turns(world)
    assert (world.status.candidate_revision, world.weight(Arm.CANDIDATE)) == ("r2", 2000)
    world.want(stages=(Stage(weight_basis_points=10_000, min_seconds=0),))
    world.ask(Verb.PROMOTE)
    world.pods_become_ready = False
    world.until(lambda w: w.status.stable_revision == "r2", lambda: None)
    world.edit("uniform-v1", "r3")
    turns(world)

    assert world.status.candidate_variant == ""
    assert "uniform-v1 waits: uniform-v1 does not serve everybody yet" in world.status.reason
    assert world.pools["uniform-v1"][Pool.CANDIDATE].revision == "r2"
    world.start_pods()
    world.until(lambda w: w.status.candidate_revision == "r3", lambda: None)


def test_an_edit_that_is_undone_over_stages_before_it_serves_from_its_main_pool_keeps_its_users_on_its_pods(world):
    world.edit("uniform-v1", "r2")
    world.want(stages=(Stage(weight_basis_points=2000, min_seconds=9999), Stage(weight_basis_points=10_000)))
    world.until(lambda w: w.weight(Arm.CANDIDATE) == 2000, lambda: None)
    run = world.status.run_id
    world.want(action=Action(id="all", verb=Verb.PROMOTE, full=True))
    world.until(lambda w: w.weight(Arm.CANDIDATE) == FULL_WEIGHT, lambda: None)
    world.pods_become_ready = False
    world.until(lambda w: w.status.stable_revision == "r2", lambda: None)
    world.want(action=Action(id="back", verb=Verb.UNDO, over_basis_points=(2000,)))
    turns(world)

    beside = world.pools["uniform-v1"][Pool.CANDIDATE]
    assert world.status.candidate_revision == "r1"
    assert (world.weight(Arm.CANDIDATE), world.split.salt) == (FULL_WEIGHT, run)
    assert (beside.revision, beside.ready) == ("r2", 1)

    world.start_pods()
    turns(world, 6)
    assert (world.weight(Arm.CANDIDATE), world.split.salt) == (2000, world.status.run_id)
    revisions = {pool: seen.revision for pool, seen in world.pools["uniform-v1"].items()}
    assert (revisions[Pool.MAIN], revisions[Pool.CANDIDATE]) == ("r2", "r1")


# --- any order of anything ---

VARIANTS = ("uniform-v1", "aks-v1", "dpp-v1")
RARE, OFTEN = 0.15, 0.4


@dataclass
class Walk:
    """Random events in a simulated cluster, and what must hold after each turn."""

    world: object
    chance: random.Random
    runs: dict[str, tuple[str, str]] = field(default_factory=dict)
    killed: set[str] = field(default_factory=set)
    was_ready: set[tuple[str, str]] = field(default_factory=set)
    edits: int = 1

    def step(self) -> None:
        self._happen()
        before = self.world.split
        self.world.turn(self.chance.choice([0.5, 1, 40]))
        for name, pools in self.world.pools.items():
            self.was_ready |= {(name, pool.revision) for pool in pools.values() if pool.ready}
        self._hold(before)

    def _happen(self) -> None:
        """One of the methods below: what a person, the flag service or a node may do."""
        self.world.flags_refuse = self.chance.random() < RARE
        events = ["edit", "point", "promote", "promote", "abort", "retry", "kill", "blink", "release", "die", "anew"]
        getattr(self, f"_{self.chance.choice([*events, 'pods', 'pods', 'pods'])}")()

    def _edit(self) -> None:
        self.edits += 1
        self.world.edit(self.chance.choice(VARIANTS), f"r{self.edits}")

    def _point(self) -> None:
        self.world.point_at(self.chance.choice(VARIANTS))

    def _promote(self) -> None:
        self.world.ask(Verb.PROMOTE)

    def _abort(self) -> None:
        self.world.ask(Verb.ABORT)

    def _retry(self) -> None:
        self.world.ask(Verb.RETRY)

    def _kill(self) -> None:
        if self.world.split.shares and self.chance.random() < OFTEN:
            self.killed.add(self.world.split.salt)
            self.world.kill()

    def _release(self) -> None:
        self.world.release()

    def _blink(self) -> None:
        """A kill that is over before the operator looks."""
        self._kill()
        self._release()

    def _pods(self) -> None:
        self.world.start_pods()
        self.world.pods_become_ready = self.chance.random() < OFTEN

    def _die(self) -> None:
        for pools in self.world.pools.values():
            for pool, seen in pools.items():
                pools[pool] = replace(seen, ready=seen.ready if self.chance.random() < OFTEN else 0)

    def _anew(self) -> None:
        if self.chance.random() < RARE:
            self.world.make_anew()

    def _hold(self, before: SplitSeen) -> None:
        world, status = self.world, self.world.status
        if status.candidate_variant:
            identity = (status.candidate_variant, status.candidate_revision)
            assert self.runs.setdefault(status.run_id, identity) == identity, "two runs of one id"
        if status.stable_variant:
            assert (status.stable_variant, status.stable_revision) in self.was_ready, "stable that never was ready"
        assert status.verdict is not Verdict.HARMFUL
        for share in world.split.shares:
            if share.arm is Arm.CANDIDATE:
                self._hold_candidate(share, before)

    def _hold_candidate(self, share: Share, before: SplitSeen) -> None:
        world = self.world
        pool = Pool.CANDIDATE if share.variant == world.split.default else Pool.MAIN
        serving: PoolSeen = world.pools[share.variant][pool]
        assert (share.variant, serving.revision) == self.runs[world.split.salt], "users of another revision's run"
        assert not world.split.killed, "a candidate has users while the flag is killed"
        assert world.split.salt not in self.killed, "a killed run has users again"
        had = {old.arm: old for old in before.shares} if before.salt == world.split.salt else {}
        grown = share.arm not in had or had[share.arm].weight < share.weight
        assert not grown or serving.ready, "users sent to pods that are not ready"


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(12, 300))])
def test_in_whatever_order_it_happens(cold_world, seed):
    walk = Walk(cold_world, random.Random(seed))
    cold_world.want(stages=(Stage(weight_basis_points=2000), Stage(weight_basis_points=10_000, bake_seconds=30)))
    for _ in range(60):
        walk.step()

    cold_world.flags_refuse = False
    cold_world.release()
    cold_world.start_pods()
    name = cold_world.status.stable_variant or "uniform-v1"
    cold_world.point_at(next(other for other in VARIANTS if other != name))
    cold_world.edit(cold_world.rollout.spec.variant_ref.name, "last")
    for _ in range(12):
        cold_world.start_pods()
        cold_world.turn()
    ended = cold_world.status
    assert ended.phase in (Phase.CANARY, Phase.STABLE), ended.reason
    assert "last" in (ended.candidate_revision, ended.stable_revision), ended.reason
    assert ended.phase is Phase.STABLE or cold_world.weight(Arm.CANDIDATE) > 0
