"""A person's request is carried out once, whatever file brings it back, and by the Rollout that it was asked of."""

import pytest

from pitwall_crds.names import FULL_WEIGHT, Arm, EventReason
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.status import REMEMBERED_ACTIONS, FlaggedOff, Phase, RolloutStatus
from pitwall_operator.values.observation import Past, Share, SplitSeen, Unseen

EVERYBODY_ON_STABLE = (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)


def ask(world, number: str, verb: Verb, **more) -> None:
    world.want(action=Action(id=number, verb=verb, actor="ann", **more))
    turns(world)


def turns(world, count: int = 3):
    for _ in range(count):
        world.turn()
    return world


def aborted_again(world):
    """aks-v1 was aborted, retried by the request R, and aborted again."""
    world.apply("rollout-aks.yaml")
    turns(world)
    ask(world, "A1", Verb.ABORT)
    ask(world, "R", Verb.RETRY)
    assert world.status.candidate_variant == "aks-v1"
    ask(world, "A2", Verb.ABORT)
    return world


def test_an_old_file_brings_nothing_back_that_was_aborted_since(world):
    aborted_again(world)
    ask(world, "R", Verb.RETRY)

    assert (world.status.phase, world.shares()) == (Phase.ABORTED, EVERYBODY_ON_STABLE)
    assert world.status.history[-1].message.endswith("the request R was dealt with before; ask by a new id")
    assert world.status.last_action_id == "R", "the API server keeps no abort for it"


@pytest.mark.parametrize("number", ["A1", "A2", "R"])
def test_no_request_is_carried_out_again(world, number):
    aborted_again(world)
    ask(world, "R2", Verb.RETRY)
    assert world.status.candidate_variant == "aks-v1"
    ask(world, number, Verb.ABORT)

    assert world.status.candidate_variant == "aks-v1"


def test_a_request_by_a_new_id_is_carried_out_after_an_old_one_was_ignored(world):
    aborted_again(world)
    ask(world, "R", Verb.RETRY)
    ask(world, "R2", Verb.RETRY)

    assert world.status.candidate_variant == "aks-v1"


def test_a_status_of_an_older_version_remembers_its_last_request(world):
    aborted_again(world)
    old = world.status.model_copy(update={"past_action_ids": ()})
    world.rollout = world.rollout.model_copy(update={"status": old})
    ask(world, "R2", Verb.RETRY)
    ask(world, "A2", Verb.ABORT)

    assert world.status.candidate_variant == "aks-v1"
    assert world.status.past_action_ids == ("R2", "A2")


def test_so_many_requests_are_remembered_and_the_one_that_a_file_repeats_is_never_forgotten(world):
    aborted_again(world)
    for number in range(2 * REMEMBERED_ACTIONS):
        ask(world, f"n{number}", Verb.PROMOTE)
        ask(world, "R", Verb.RETRY)

    assert world.status.phase is Phase.ABORTED
    assert len(world.status.past_action_ids) == REMEMBERED_ACTIONS


@pytest.mark.parametrize(
    "action",
    [pytest.param({"verb": Verb.PROMOTE, "full": True}, id="promote in full"),
     pytest.param({"verb": Verb.PROMOTE}, id="promote"),
     pytest.param({"verb": Verb.RETRY}, id="retry"),
     pytest.param({"verb": Verb.UNDO}, id="undo")],
)  # fmt: skip
@pytest.mark.parametrize("unseen", [False, True], ids=["", "the flag is not seen at first"])
def test_what_lies_in_a_rollout_that_was_made_anew_was_asked_of_another(world, action, unseen):
    """Also where the record is lost."""
    off = FlaggedOff(variant="aks-v1", revision="r1", gate="errors", message="worse", time="2027-01-01T00:00:00Z")
    is_retry, split = action["verb"] is Verb.RETRY, world.split
    world.apply("rollout-aks.yaml")
    world.want(action=Action(id="P1", actor="ann", **action))
    world.make_anew(Past((off,) if is_retry else ()))
    if unseen:
        world.split = Unseen("connection refused")
        turns(world)
        assert world.status.last_action_id == ""
    world.split = split
    turns(world)

    assert world.shares() == EVERYBODY_ON_STABLE
    assert world.status.phase is (Phase.FLAGGED_OFF if is_retry else Phase.SHADOW)
    told = [entry.message for entry in world.status.history if entry.reason == EventReason.IGNORED]
    assert told == [
        f"ann asked to {action['verb'].lower()}, which changes nothing: it was there when this Rollout was made; "
        "ask anew, by a new id"
    ]


def test_a_rollout_that_was_made_anew_obeys_what_is_asked_of_it(world):
    world.apply("rollout-aks.yaml")
    world.want(action=Action(id="P1", verb=Verb.PROMOTE, full=True))
    world.make_anew()
    turns(world)
    ask(world, "P2", Verb.PROMOTE, full=True)

    assert world.status.stable_variant == "aks-v1"


def test_what_the_record_says_was_asked_is_carried_out_by_no_rollout_made_anew(world):
    world.apply("rollout-aks.yaml")
    world.want(action=Action(id="A1", verb=Verb.ABORT))
    world.make_anew(Past(action_ids=("A1", "P1")))
    turns(world)
    assert world.status.candidate_variant == "aks-v1"
    ask(world, "P1", Verb.PROMOTE, full=True)

    assert world.weight(Arm.CANDIDATE) == 0
    assert world.status.past_action_ids == ("A1", "P1")


def nothing(world):
    pass


def stable_waits_for_pods(world):
    world.pods_become_ready = False
    for pools in world.pools.values():
        for pool, seen in pools.items():
            pools[pool] = seen.__class__(seen.revision, seen.desired, 0)


def the_flag_is_not_seen(world):
    split, world.split = world.split, Unseen("connection refused")
    turns(world)
    assert world.status.last_action_id == "", "the API server keeps it"
    world.split = split


def nobody_knows_what_the_pods_run(world):
    pools, world.pools["uniform-v1"] = (
        world.pools["uniform-v1"],
        {pool: seen.__class__("", seen.desired, seen.ready) for pool, seen in world.pools["uniform-v1"].items()},
    )
    turns(world)
    assert world.status.last_action_id == ""
    world.pools["uniform-v1"] = pools


@pytest.mark.parametrize(
    "circumstances", [nothing, stable_waits_for_pods, the_flag_is_not_seen, nobody_knows_what_the_pods_run]
)
@pytest.mark.parametrize("past", [Past(), Past(last_run="earlier")], ids=["", "it is in the record"])
def test_an_abort_that_waited_when_its_rollout_was_made_anew_is_carried_out(world, circumstances, past):
    world.apply("rollout-aks.yaml")
    world.want(action=Action(id="A1", verb=Verb.ABORT, actor="ann"))
    world.make_anew(past)
    circumstances(world)
    turns(world)
    world.start_pods()
    turns(world)

    assert (world.status.phase, world.shares()) == (Phase.ABORTED, EVERYBODY_ON_STABLE)
    assert [(off.variant, off.message) for off in world.status.flagged_off] == [("aks-v1", "ann asked for it")]


@pytest.mark.parametrize("past", [Past(), Past(last_run="earlier")], ids=["", "it is in the record"])
def test_an_abort_waits_until_it_is_known_which_other_flags_its_variant_serves(world, past):
    world.edit("uniform-v1", "r2")
    world.want(action=Action(id="A1", verb=Verb.ABORT, actor="ann"))
    world.make_anew(past)
    world.split, world.elsewhere = SplitSeen(), Unseen("connection refused")
    turns(world)
    assert world.status.last_action_id == ""
    world.elsewhere = {"uniform-v1": "another.flag"}
    turns(world)

    assert (world.status.phase, world.status.stable_revision) == (Phase.ABORTED, "r1")
    assert [(off.variant, off.revision) for off in world.status.flagged_off] == [("uniform-v1", "r2")]


def declare(world, revision="r1"):
    world.edit("aks-v1", revision)
    turns(world)


@pytest.mark.parametrize("circumstances", [nothing, stable_waits_for_pods, the_flag_is_not_seen])
@pytest.mark.parametrize("past", [Past(), Past(last_run="earlier")], ids=["", "it is in the record"])
def test_an_abort_whose_rollout_was_made_anew_before_its_variant_keeps_off_what_is_declared_next(
    world, circumstances, past
):
    world.apply("rollout-aks.yaml")
    world.want(action=Action(id="A1", verb=Verb.ABORT, actor="ann"))
    world.make_anew(past)
    world.revisions.pop("aks-v1")
    circumstances(world)
    turns(world)
    assert (world.status.phase, world.status.last_action_id) == (Phase.ABORTED, "A1"), "it is in nobody's way"
    world.start_pods()
    declare(world)

    assert (world.status.phase, world.shares()) == (Phase.ABORTED, EVERYBODY_ON_STABLE)
    why = "ann asked for it before it was declared"
    assert [(off.variant, off.revision, off.message) for off in world.status.flagged_off] == [("aks-v1", "r1", why)]
    assert world.status.reason == why
    assert world.reasons().count(EventReason.ABORTED) == 1
    assert "aks-v1" not in world.pools

    declare(world, "r2")
    assert world.status.candidate_revision == "r2", "an edit is another run"


@pytest.mark.parametrize("is_declared", [False, True])
def test_what_was_off_before_it_was_declared_may_be_tried_again(world, is_declared):
    world.apply("rollout-aks.yaml")
    world.revisions.pop("aks-v1")
    ask(world, "A1", Verb.ABORT)
    if is_declared:
        declare(world)
    assert world.status.phase is Phase.ABORTED
    ask(world, "R", Verb.RETRY)
    declare(world)

    assert world.status.candidate_variant == "aks-v1"


def test_a_variant_that_is_replaced_while_its_abort_is_written_stays_off(world):
    """`kubectl replace --force` deletes it first, which ends its run."""
    world.apply("rollout-aks.yaml")
    turns(world)
    world.revisions.pop("aks-v1")
    ask(world, "A1", Verb.ABORT)
    declare(world)

    assert (world.status.phase, world.shares()) == (Phase.ABORTED, EVERYBODY_ON_STABLE)


def test_an_abort_of_what_is_declared_as_it_serves_changes_nothing_and_says_so(world):
    """It was about an edit, which was taken back meanwhile."""
    world.want(action=Action(id="A1", verb=Verb.ABORT, actor="ann"))
    world.make_anew()
    world.edit("uniform-v1", "")
    turns(world)
    world.edit("uniform-v1", "r1")
    turns(world)

    assert (world.status.phase, world.status.flagged_off) == (Phase.STABLE, ())
    assert world.status.history[-1].reason == EventReason.IGNORED
    assert world.status.history[-1].message.endswith("changes nothing: it is declared as it serves everybody")


def test_another_variant_is_no_business_of_an_abort_of_what_is_not_declared(world):
    world.apply("rollout-aks.yaml")
    world.revisions.pop("aks-v1")
    ask(world, "A1", Verb.ABORT)
    world.point_at("dpp-v1")
    turns(world)
    assert world.status.candidate_variant == "dpp-v1"
    world.edit("aks-v1", "r1")
    world.point_at("aks-v1")
    turns(world)

    assert (world.status.phase, world.shares()) == (Phase.ABORTED, EVERYBODY_ON_STABLE)


def test_an_abort_waits_no_longer_where_nothing_else_serves_than_what_is_off(world):
    """The remedy is a retry, which must be able to take its place."""
    off = FlaggedOff(variant="uniform-v1", revision="r1", gate="", message="kim", time="2027-01-01T00:00:00Z")
    world.pools = {}
    world.want(action=Action(id="A1", verb=Verb.ABORT))
    world.make_anew(Past((off,), "earlier"))
    turns(world)
    assert world.status.last_action_id == "A1"
    world.past = Past()  # the status knows more by now
    ask(world, "R", Verb.RETRY)

    assert world.status.stable_variant == "uniform-v1"


def test_a_request_to_the_first_rollout_of_a_flag_is_told_that_nothing_serves_yet(cold_world):
    ask(cold_world, "P", Verb.PROMOTE)

    assert isinstance(cold_world.split, SplitSeen)
    assert "nothing serves yet" in cold_world.status.history[-1].message


def test_a_status_that_could_not_be_keeps_its_requests(world):
    aborted_again(world)
    broken = RolloutStatus(candidate_variant="aks-v1", past_action_ids=("R",), run_id="x")
    world.rollout = world.rollout.model_copy(update={"status": broken})
    world.turn()

    assert "R" in world.status.past_action_ids
