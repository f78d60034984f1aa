"""Deadlines of what waits for pods: told as Stalled, held or flagged off, and never called harm."""

import pytest

from pitwall_crds.names import Arm, EventReason, Pool
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.rollout import OnDeadline, Stage
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.observation import PoolSeen, Unseen


@pytest.fixture
def stuck(world):
    """A candidate whose pods do not start; the deadline is the default one."""
    world.apply("rollout-dpp.yaml")
    world.stuck.add(("dpp-v1", "r1"))
    for _ in range(3):
        world.turn()
    return world


def warnings(world) -> list[str]:
    return [effect.reason for effect in world.applied if isinstance(effect, Announce) and effect.warning]


def pass_time(world, seconds: float, turns: int = 5) -> None:
    for _ in range(turns):
        world.turn(seconds / turns)


def test_what_gets_no_pods_is_stalled_after_ten_minutes_and_goes_on_when_it_has_some(stuck):
    pass_time(stuck, 500)
    assert stuck.condition("Stalled") == ("False", "Canary")

    pass_time(stuck, 150)
    assert stuck.condition("Stalled") == stuck.condition("Degraded") == ("True", EventReason.DEADLINE)
    assert (stuck.status.phase, stuck.status.verdict) == (Phase.CANARY, Verdict.UNMEASURED)
    assert warnings(stuck) == [EventReason.DEADLINE]

    stuck.start_pods()
    pass_time(stuck, 3)
    assert stuck.condition("Stalled") == ("False", "Canary")
    assert stuck.weight(Arm.CANDIDATE) > 0


def test_it_can_be_flagged_off_instead_which_is_no_verdict_about_the_sampler(stuck):
    stuck.want(on_deadline=OnDeadline.FLAG_OFF, progress_deadline_seconds=60)
    pass_time(stuck, 70)

    assert (stuck.status.phase, stuck.status.verdict) == (Phase.FLAGGED_OFF, Verdict.UNMEASURED)
    assert stuck.status.flagged_off[-1].gate == ""
    assert "no progress for 60 s (spec.progressDeadlineSeconds), waiting for capacity: dpp-v1" in stuck.status.reason
    assert stuck.condition("Stalled")[0] == "True"


def test_without_a_deadline_it_waits_for_ever(stuck):
    stuck.want(progress_deadline_seconds=0)
    pass_time(stuck, 100_000)

    assert stuck.condition("Stalled")[0] == "False"


def test_a_pause_and_blindness_stop_the_clock(stuck):
    stuck.want(paused=True)
    pass_time(stuck, 10_000)
    assert stuck.condition("Stalled")[0] == "False"

    stuck.want(paused=False)
    stuck.split = Unseen("connection refused")
    pass_time(stuck, 10_000)
    assert stuck.condition("Stalled")[0] == "False"


def test_a_stages_deadline_counts_the_waiting(stuck):
    first = Stage(weight_basis_points=1000, min_seconds=10, max_seconds=100)
    stuck.want(stages=(first, Stage(weight_basis_points=10_000)))
    for _ in range(8):
        pass_time(stuck, 10)
    assert stuck.condition("Stalled")[0] == "False"
    for _ in range(4):
        pass_time(stuck, 10)
    assert "deadline of 100 s passed, waiting for capacity" in next(
        c.message for c in stuck.status.conditions if c.type == "Stalled"
    )

    stuck.start_pods()
    pass_time(stuck, 4)
    stuck.block("dpp-v1", candidate_seconds=0.01, bad=2, good=8)
    pass_time(stuck, 4)
    assert "deadline of 100 s passed" in stuck.status.reason


def test_copies_that_cannot_begin_are_waited_for_too(world):
    world.apply("rollout-aks.yaml")
    world.stuck.add(("aks-v1", "r1"))
    pass_time(world, 4)
    assert "waiting for capacity: aks-v1 (main) has 0 of 1 replicas ready" in world.status.reason
    pass_time(world, 700)
    assert world.condition("Stalled") == ("True", EventReason.DEADLINE)

    began = world.now
    world.start_pods()
    pass_time(world, 2)
    assert world.status.stage_start_time >= world.status.stage_entered_time
    assert world.now - began < 5


def test_a_first_variant_that_never_gets_ready_is_stalled(cold_world):
    pass_time(cold_world, 900)

    assert cold_world.status.phase is Phase.PENDING
    assert cold_world.condition("Stalled") == ("True", EventReason.DEADLINE)


def test_a_promoted_variant_that_never_serves_everybody_is_stalled(world):
    world.want(stages=(Stage(weight_basis_points=2000), Stage(weight_basis_points=10_000, min_seconds=0)))
    world.edit("uniform-v1", "r2")
    pass_time(world, 4)
    world.want(stages=(Stage(weight_basis_points=10_000, min_seconds=0),))
    world.pods_become_ready = False
    world.ask(Verb.PROMOTE)
    world.until(lambda w: w.status.stable_revision == "r2", lambda: None)
    pass_time(world, 900)

    assert world.pools["uniform-v1"][Pool.MAIN] == PoolSeen("r2", 1, 0)
    assert world.condition("Stalled") == ("True", EventReason.DEADLINE)


# --- what is refused ---


def test_what_was_refused_is_a_condition_in_its_own_words_and_told_once(world):
    world.failures = ('run 1 main replica(s) of aks-v1: deployments "aks-v1" is forbidden: no right to create',)
    for _ in range(3):
        world.turn()
    assert world.condition("Applied") == ("False", "Refused")
    assert "no right to create" in next(c.message for c in world.status.conditions if c.type == "Applied")
    assert warnings(world) == ["Refused"]

    world.failures = ()
    world.turn()
    assert world.condition("Applied") == ("True", "Done")


def test_pods_that_a_quota_refuses_are_told_once_though_their_names_differ(stuck):
    for number in (1, 2, 3):
        words = f'FailedCreate: pods "dpp-v1-{number}" is forbidden: exceeded quota: small, used: {number}'
        stuck.pools["dpp-v1"][Pool.MAIN] = PoolSeen("r1", 1, 0, trouble=words, refusal=words)
        stuck.turn()

    assert warnings(stuck) == ["Refused"]
    assert "exceeded quota" in stuck.status.reason
