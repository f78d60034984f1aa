"""The table of outcomes: what kill, release, abort, promote, retry and edits do to a rollout wherever it stands."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pitwall_crds.names import FULL_WEIGHT, Arm, EventReason, Pool
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import OnDeadline, Stage
from pitwall_crds.rollout.status import FlaggedOff, Phase, Verdict
from pitwall_operator.values.observation import Past, Share, SplitSeen, Unseen

LONG = 9_999


def turns(world, count: int = 4):
    for _ in range(count):
        world.turn()
    return world


# --- where a rollout may stand ---


def waiting(world):
    """A candidate whose pods are not ready."""
    world.stuck.add(("aks-v1", "r1"))
    return turns(begun(world))


def begun(world, *, shadow: bool = False):
    world.apply("rollout-aks.yaml")
    stages = world.rollout.spec.stages[:1] if shadow else ()
    world.want(
        stages=(*stages, Stage(weight_basis_points=2000, min_seconds=LONG),
                Stage(weight_basis_points=10_000, bake_seconds=LONG, bake_control_basis_points=0)),
    )  # fmt: skip
    return world


def shadow(world):
    return turns(begun(world, shadow=True))


def canary(world):
    return turns(begun(world))


def paused(world):
    canary(world).want(paused=True)
    return turns(world, 1)


def bake(world):
    canary(world).ask(Verb.PROMOTE)
    return turns(world)


def promoted(world):
    """A candidate that was promoted, while the flag still names the variant before it as stable."""
    bake(world).flags_refuse = True
    world.ask(Verb.PROMOTE)
    world.until(lambda w: w.status.stable_variant == "aks-v1", lambda: None)
    world.flags_refuse = False
    return world


def turned_bad(world):
    """A promoted variant that fails every question, after its bake."""
    bake(world).ask(Verb.PROMOTE)
    world.until(lambda w: w.split.default == "aks-v1", lambda: None)
    world.counters.serve("aks-v1", Arm.STABLE, 9.0, 500, errors=500)
    return turns(world)


def stable(world):
    return turns(world)


def flagged_off(world):
    """As a deadline does it."""
    waiting(world).want(progress_deadline_seconds=6, on_deadline=OnDeadline.FLAG_OFF)
    return turns(world, 8)


def aborted(world):
    canary(world).ask(Verb.ABORT)
    return turns(world)


def killed(world):
    canary(world).kill()
    return turns(world)


def pending(world):
    """Nothing ever served, and the first variant's pods do not start."""
    world.make_anew()
    world.split, world.pools = SplitSeen(), {}
    world.stuck |= {(name, "r1") for name in world.revisions}
    return turns(world)


# --- what may happen ---


def kill(world):
    world.kill()


def kill_and_release(world):
    world.kill()
    world.release()


def release(world):
    world.release()


def abort(world):
    world.ask(Verb.ABORT)


def promote(world):
    world.ask(Verb.PROMOTE)


def retry(world):
    world.ask(Verb.RETRY)


def undo(world):
    world.ask(Verb.UNDO)


def edit(world):
    world.edit(world.rollout.spec.variant_ref.name, "r2")


def third(world):
    world.point_at("dpp-v1")


def back(world):
    world.point_at("uniform-v1")


Event = Callable[..., None]
SAME = ""
NOTHING = EventReason.IGNORED
ENDED, WITHDRAWN, APPROVED = EventReason.ABORTED, EventReason.WITHDRAWN, EventReason.APPROVED

OUTCOMES: list[tuple[Event, Event, str, str, str]] = [
    # where,       what happens,     phase,        who is the candidate, and what the history says first
    (waiting,      kill,             "Aborted",    "",       ENDED),
    (waiting,      abort,            "Aborted",    "",       ENDED),
    (waiting,      promote,          "Canary",     "aks-v1", APPROVED),
    (waiting,      edit,             "Canary",     "aks-v1", WITHDRAWN),
    (waiting,      third,            "Canary",     "dpp-v1", WITHDRAWN),
    (waiting,      back,             "Stable",     "",       WITHDRAWN),
    (waiting,      retry,            "Canary",     "aks-v1", NOTHING),
    (shadow,       kill,             "Aborted",    "",       ENDED),
    (shadow,       kill_and_release, "Aborted",    "",       ENDED),
    (shadow,       abort,            "Aborted",    "",       ENDED),
    (shadow,       promote,          "Canary",     "aks-v1", APPROVED),
    (shadow,       edit,             "Shadow",     "aks-v1", WITHDRAWN),
    (canary,       kill,             "Aborted",    "",       ENDED),
    (canary,       kill_and_release, "Aborted",    "",       ENDED),
    (canary,       release,          "Canary",     "aks-v1", SAME),
    (canary,       abort,            "Aborted",    "",       ENDED),
    (canary,       promote,          "Bake",       "aks-v1", APPROVED),
    (canary,       retry,            "Canary",     "aks-v1", NOTHING),
    (canary,       edit,             "Canary",     "aks-v1", WITHDRAWN),
    (canary,       third,            "Canary",     "dpp-v1", WITHDRAWN),
    (canary,       back,             "Stable",     "",       WITHDRAWN),
    (paused,       kill,             "Aborted",    "",       ENDED),
    (paused,       abort,            "Aborted",    "",       ENDED),
    (paused,       promote,          "Canary",     "aks-v1", APPROVED),
    (bake,         kill,             "Aborted",    "",       ENDED),
    (bake,         kill_and_release, "Aborted",    "",       ENDED),
    (bake,         abort,            "Aborted",    "",       ENDED),
    (bake,         promote,          "Stable",     "",       APPROVED),
    (bake,         edit,             "Canary",     "aks-v1", WITHDRAWN),
    (bake,         third,            "Canary",     "dpp-v1", WITHDRAWN),
    (promoted,     kill,             "Aborted",    "",       ENDED),
    (promoted,     abort,            "Stable",     "",       NOTHING),
    (promoted,     promote,          "Stable",     "",       NOTHING),
    (promoted,     edit,             "Canary",     "aks-v1", EventReason.STAGE_STARTED),
    (turned_bad,   kill,             "Stable",     "",       SAME),
    (turned_bad,   kill_and_release, "Stable",     "",       SAME),
    (turned_bad,   abort,            "Stable",     "",       NOTHING),
    (turned_bad,   promote,          "Stable",     "",       NOTHING),
    (turned_bad,   retry,            "Stable",     "",       NOTHING),
    (turned_bad,   undo,             "Aborted",    "",       ENDED),
    (turned_bad,   edit,             "Canary",     "aks-v1", EventReason.STAGE_STARTED),
    (turned_bad,   third,            "Canary",     "dpp-v1", EventReason.STAGE_STARTED),
    (turned_bad,   back,             "Canary",     "uniform-v1", EventReason.STAGE_STARTED),
    (stable,       kill,             "Stable",     "",       SAME),
    (stable,       abort,            "Stable",     "",       NOTHING),
    (stable,       promote,          "Stable",     "",       NOTHING),
    (stable,       retry,            "Stable",     "",       NOTHING),
    (flagged_off,  kill,             "FlaggedOff", "",       SAME),
    (flagged_off,  abort,            "FlaggedOff", "",       NOTHING),
    (flagged_off,  promote,          "FlaggedOff", "",       NOTHING),
    (flagged_off,  edit,             "Canary",     "aks-v1", EventReason.STAGE_STARTED),
    (flagged_off,  back,             "Stable",     "",       SAME),
    (aborted,      release,          "Aborted",    "",       SAME),
    (aborted,      promote,          "Aborted",    "",       NOTHING),
    (aborted,      retry,            "Canary",     "aks-v1", APPROVED),
    (aborted,      edit,             "Canary",     "aks-v1", EventReason.STAGE_STARTED),
    (aborted,      third,            "Canary",     "dpp-v1", EventReason.STAGE_STARTED),
    (killed,       release,          "Aborted",    "",       SAME),
    (killed,       promote,          "Aborted",    "",       NOTHING),
    (killed,       abort,            "Aborted",    "",       NOTHING),
    (killed,       retry,            "Aborted",    "",       APPROVED),
    (killed,       edit,             "Aborted",    "",       SAME),
    (killed,       third,            "Aborted",    "",       SAME),
    (killed,       back,             "Stable",     "",       SAME),
    (pending,      promote,          "Pending",    "",       NOTHING),
    (pending,      abort,            "Pending",    "",       NOTHING),
    (pending,      edit,             "Stable",     "",       EventReason.PROMOTED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stands", "happens", "phase", "candidate", "told"),
    [pytest.param(*row, id=f"{row[1].__name__}-in-{row[0].__name__}") for row in OUTCOMES],
)
def test_the_outcome(world, stands, happens, phase, candidate, told):
    stands(world)
    before = world.status.history
    happens(world)
    turns(world)

    new = [entry.reason for entry in world.status.history if entry not in before]
    assert (world.status.phase, world.status.candidate_variant) == (phase, candidate), world.status.reason
    assert next(iter(new), SAME) == told
    assert world.split.killed == "" or world.weight(Arm.CANDIDATE) == 0


def test_a_release_brings_back_nobody_and_what_is_applied_right_after_works(world):
    killed(world)
    assert world.status.stage == "killed"
    assert world.condition("Killed") == ("True", "Killed")
    world.point_at("dpp-v1")
    turns(world)
    assert "dpp-v1 waits: the flag's kill switch is on (version 9); pitwall release ends it" in world.status.reason

    world.release()
    turns(world)
    assert world.condition("Killed") == ("False", "NotKilled")
    assert world.status.candidate_variant == "dpp-v1"
    assert {share.variant for share in world.split.shares} == {"uniform-v1", "dpp-v1"}


def test_what_is_promoted_while_the_flag_is_killed_is_the_variant_before_again(world):
    promoted(world).kill()
    turns(world)

    assert world.status.stable_variant == "uniform-v1"
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)
    assert "before it served everybody" in world.status.reason


@pytest.mark.parametrize("first", ["kill", "undo"])
def test_a_kill_beside_an_undo_keeps_nobody_from_the_way_back(world, first):
    """Who sees that what was promoted is bad throws the kill switch, which changes nothing, and then undoes it."""
    turned_bad(world).pods_become_ready = False
    for happens in (kill, undo) if first == "kill" else (undo, kill):
        happens(world)
        world.turn()
    turns(world)
    assert [off.variant for off in world.status.flagged_off] == ["aks-v1"]

    world.release()
    world.start_pods()
    turns(world)
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)
    assert world.status.phase is Phase.ABORTED


def undo_over_stages(world):
    world.want(action=Action(id="over", verb=Verb.UNDO, actor="ada", over_basis_points=(2000,)))


def test_an_undo_over_stages_begins_when_the_kill_is_released(world):
    turned_bad(world).kill()
    undo_over_stages(world)
    turns(world)
    assert (world.status.candidate_variant, world.status.flagged_off) == ("", ())

    world.release()
    turns(world)
    assert (world.status.candidate_variant, world.weight(Arm.CANDIDATE)) == ("uniform-v1", 2000)


def test_the_variant_that_is_undone_over_stages_may_be_deleted_meanwhile(world):
    undo_over_stages(turned_bad(world))
    turns(world)
    del world.revisions["aks-v1"]
    turns(world)

    assert (world.status.candidate_variant, world.weight(Arm.CANDIDATE)) == ("uniform-v1", 2000)


def test_the_reason_shown_is_about_the_variant_that_is_asked_for(world):
    aborted(world)
    world.point_at("dpp-v1")
    turns(world)
    world.want(action=None)
    world.ask(Verb.ABORT)
    turns(world)
    world.point_at("aks-v1")
    world.revisions["dpp-v1"] = "r2"
    turns(world)

    assert world.status.phase is Phase.ABORTED
    assert world.status.reason == world.status.flagged_off[0].message


def test_a_harmful_verdict_is_not_shown_beside_the_stable_variant(world):
    world.apply("rollout-dpp.yaml")
    slow = lambda: world.block("dpp-v1", candidate_seconds=0.2, bad=2, good=8)  # noqa: E731
    world.until(lambda w: w.status.phase is Phase.FLAGGED_OFF, slow)
    assert world.status.verdict is Verdict.HARMFUL
    world.point_at("uniform-v1")
    turns(world)
    assert (world.status.phase, world.status.verdict) == (Phase.STABLE, Verdict.UNMEASURED)

    world.point_at("dpp-v1")
    turns(world)
    assert (world.status.phase, world.status.verdict) == (Phase.FLAGGED_OFF, Verdict.HARMFUL)


# --- made anew ---


def test_a_rollout_that_is_made_anew_respects_what_the_flag_says(world):
    canary(world)
    runs = {world.status.run_id}
    world.stuck.add(("aks-v1", "r1"))
    world.make_anew()
    world.pools["aks-v1"] = {name: replace(pool, ready=0) for name, pool in world.pools["aks-v1"].items()}
    turns(world)
    assert world.status.stable_variant == "uniform-v1"
    assert world.reasons()[0] == EventReason.ADOPTED
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)

    world.start_pods()
    turns(world)
    assert world.weight(Arm.CANDIDATE) == 2000
    assert world.status.run_id not in runs


def test_what_the_record_says_is_off_stays_off_although_the_rollout_is_made_anew(world):
    off = FlaggedOff(variant="aks-v1", revision="r1", gate="errors", message="worse", time="2027-01-01T00:00:00Z")
    canary(world).make_anew(Past((off,), "earlier"))
    turns(world)
    assert (world.status.phase, world.status.verdict, world.status.reason) == ("FlaggedOff", "Harmful", "worse")
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)

    world.split, world.pools = SplitSeen(), {}
    world.make_anew(Past((off,), "earlier"))
    turns(world)
    assert world.split.shares == ()
    assert "aks-v1 was taken off (worse) and nothing else is known to serve" in world.status.reason


def under_way(world) -> Past:
    """What the record tells of the run that is under way."""
    status = world.status
    entry = {"variant": status.candidate_variant, "revision": status.candidate_revision, "gate": "", "message": ""}
    return Past((), status.run_id, under_way=FlaggedOff(**entry, time=status.run_start_time, aborted=True))


@pytest.mark.parametrize("released", [True, False], ids=["released since", "killed still"])
@pytest.mark.parametrize("edit", [True, False], ids=["an edit of the stable variant", "another variant"])
def test_what_was_killed_on_its_way_stays_off_although_the_rollout_is_made_anew_before_anybody_saw_it(
    world, edit, released
):
    if edit:
        world.edit("uniform-v1", "r2")
        turns(world)
    else:
        canary(world)
    told, candidate = under_way(world), (world.status.candidate_variant, world.status.candidate_revision)
    world.kill()
    if released:
        world.release()
    world.make_anew(told)
    turns(world)
    world.release()
    turns(world)

    assert world.status.phase is Phase.ABORTED
    assert [(off.variant, off.revision) for off in world.status.flagged_off] == [candidate]
    assert "kill switch was used" in world.status.reason
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)
    world.ask(Verb.RETRY)
    turns(world)
    assert (world.status.candidate_variant, world.status.candidate_revision) == candidate


@pytest.mark.parametrize(
    "of_the_run",
    [
        pytest.param({"last_run": "another"}, id="of another run"),
        pytest.param({"under_way": None}, id="whose end was recorded"),
    ],
)
def test_a_kill_of_an_earlier_run_takes_nothing_off_in_a_rollout_that_is_made_anew(world, of_the_run):
    canary(world)
    told = replace(under_way(world), **of_the_run)
    world.kill()
    world.release()
    world.make_anew(told)
    turns(world)

    assert (world.status.flagged_off, world.status.candidate_variant) == ((), "aks-v1")


def test_what_serves_everybody_is_not_off_although_its_flag_was_killed_before_the_end_of_its_run_was_recorded(world):
    canary(world)
    told = under_way(world)
    world.split = SplitSeen((Share(Arm.STABLE, "aks-v1", FULL_WEIGHT),), world.split.salt)
    world.kill()
    world.release()
    world.make_anew(told)
    turns(world)

    assert (world.status.stable_variant, world.status.flagged_off) == ("aks-v1", ())


def drifted(world, applied="r1"):
    """The stable pods, after somebody changed their Deployment, or under the name of a Rollout that is gone."""
    pools = world.pools["uniform-v1"]
    pools[Pool.MAIN] = replace(pools[Pool.MAIN], revision="", applied=applied)


@pytest.mark.parametrize("touch", [lambda _: None, drifted], ids=["as it was applied", "drifted, or another's"])
def test_what_serves_is_the_revision_of_its_pods_and_never_the_one_that_is_declared_by_now(world, touch):
    """The candidate was an edit of the stable variant, so that the flag's word, a name, is the same for both."""
    world.edit("uniform-v1", "r2")
    turns(world)
    assert (world.status.stable_revision, world.status.candidate_revision) == ("r1", "r2")
    touch(world)
    world.make_anew()
    world.turn()

    assert (world.status.stable_variant, world.status.stable_revision) == ("uniform-v1", "r1")
    turns(world)
    assert world.pools["uniform-v1"][Pool.MAIN].revision == "r1"
    assert world.status.candidate_revision == "r2", "from its first stage on"


@pytest.mark.parametrize("touch", [lambda _: None, drifted], ids=["as it was applied", "drifted, or another's"])
def test_an_edit_that_was_aborted_stays_off_though_the_rollout_is_made_anew(world, touch):
    world.edit("uniform-v1", "r2")
    turns(world).ask(Verb.ABORT)
    turns(world)
    off = world.status.flagged_off
    touch(world)
    world.make_anew(Past(off, "earlier"))
    turns(world)

    assert (world.status.phase, world.status.stable_revision) == (Phase.ABORTED, "r1")
    assert world.pools["uniform-v1"][Pool.MAIN].revision == "r1"


def test_pods_of_which_nobody_knows_what_they_run_stay_as_they_are(world):
    world.edit("uniform-v1", "r2")
    drifted(world, applied="")
    world.make_anew()
    turns(world)

    assert world.status.stable_variant == ""
    assert "nobody knows which revision the pods of uniform-v1 run" in world.status.reason
    assert world.pools["uniform-v1"][Pool.MAIN].revision == ""


def test_what_is_off_is_not_run_for_users_whose_pods_are_gone(world):
    times = {"time": "2027-01-01T00:00:00Z"}
    off = FlaggedOff(variant="uniform-v1", revision="r2", gate="", message="kim", aborted=True, **times)
    world.edit("uniform-v1", "r2")
    world.pools = {}
    world.make_anew(Past((off,), "earlier"))
    turns(world)

    assert (world.status.phase, world.pools) == (Phase.ABORTED, {})
    assert "uniform-v1 was taken off (kim) and nothing else is known to serve" in world.status.reason


@pytest.mark.parametrize("what", ["split", "past"])
def test_pods_that_may_serve_do_not_change_while_it_cannot_be_seen_whether_they_do(world, what):
    world.edit("uniform-v1", "r2")
    world.make_anew()
    setattr(world, what, Unseen("connection refused"))
    turns(world)

    assert world.pools["uniform-v1"][Pool.MAIN].revision == "r1"


@pytest.mark.parametrize("what", ["split", "past"])
def test_while_it_cannot_be_seen_what_serves_nothing_is_the_first(world, what):
    canary(world).make_anew()
    setattr(world, what, Unseen("connection refused"))
    turns(world)

    assert world.status.stable_variant == ""
    assert "connection refused" in world.status.reason


def test_what_the_flag_names_and_nobody_has_any_more_is_replaced_when_the_first_pods_are_ready(world):
    world.split = SplitSeen((Share(Arm.STABLE, "gone-v1", FULL_WEIGHT),), "s")
    world.make_anew()
    world.pools, world.pods_become_ready = {}, False
    turns(world)
    assert world.split.default == "gone-v1"

    world.start_pods()
    turns(world)
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)


def test_runs_of_rollouts_made_anew_never_share_an_id_even_after_the_flags_database_was_lost(world):
    runs = set()
    for _ in range(3):
        canary(world)
        runs.add(world.status.run_id)
        world.point_at("uniform-v1")
        world.make_anew()
        world.split = SplitSeen()
        turns(world)

    assert len(runs) == 3


# --- the first variant ---


def test_a_broken_first_variant_is_never_stable_and_can_be_corrected(cold_world):
    turns(cold_world)
    assert (cold_world.status.phase, cold_world.status.stable_variant) == (Phase.PENDING, "")
    assert cold_world.condition("Ready") == ("False", "Waiting")
    assert cold_world.condition("Progressing") == ("True", "Waiting")

    cold_world.pods_become_ready = True
    cold_world.edit("uniform-v1", "repaired")
    turns(cold_world)
    assert (cold_world.status.stable_variant, cold_world.status.stable_revision) == ("uniform-v1", "repaired")
    assert cold_world.reasons() == [EventReason.PROMOTED]


def test_a_broken_first_variant_can_be_left_for_another(cold_world):
    cold_world.stuck.add(("uniform-v1", "r1"))
    cold_world.pods_become_ready = True
    turns(cold_world)
    cold_world.point_at("aks-v1")
    turns(cold_world)

    assert cold_world.shares() == (Share(Arm.STABLE, "aks-v1", FULL_WEIGHT),)
    assert not cold_world.pools["uniform-v1"]
