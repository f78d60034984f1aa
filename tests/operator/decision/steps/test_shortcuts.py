"""The fast ways: back to what served before, on by a person's word, and past the stages within the rollback window."""

import pytest

from pitwall_crds.names import FULL_WEIGHT, Arm
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.status import Phase
from pitwall_operator.values.effects import SetSplit
from pitwall_operator.values.observation import Share

EVERYBODY = (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)


@pytest.fixture
def promoted(world):
    """A world in which aks-v1 took uniform-v1's place, and its pods are gone."""
    world.apply("rollout-aks.yaml")
    world.turn()
    ask(world, Verb.PROMOTE, full=True, reason="the old one leaks")
    world.until(lambda w: w.status.stable_variant == "aks-v1" and w.split.default == "aks-v1", world.turn)
    world.until(lambda w: not w.pools.get("uniform-v1"), world.turn)
    return world


def ask(world, verb: Verb, **more) -> None:
    number = int(world.rollout.spec.action.id) + 1 if world.rollout.spec.action else 1
    world.want(action=Action(id=str(number), verb=verb, actor="ada", **more))


def splits(world) -> list[dict[str, int]]:
    written = [effect for effect in world.applied if isinstance(effect, SetSplit)]
    return [{f"{one.arm} {one.variant}": one.weight for one in effect.shares if one.weight} for effect in written]


def test_a_promotion_in_full_passes_all_stages_without_proof_and_is_recorded_with_its_reason(world):
    world.apply("rollout-aks.yaml")
    world.turn()
    ask(world, Verb.PROMOTE, full=True, reason="the old one leaks")
    world.applied.clear()
    world.until(lambda w: w.status.phase is Phase.STABLE and w.status.stable_variant == "aks-v1", world.turn)

    assert [one for one in splits(world) if one.get("candidate aks-v1")] == [{"candidate aks-v1": FULL_WEIGHT}]
    told = [entry.message for entry in world.status.history]
    assert any(
        "ada promoted it in full, past all stages: the old one leaks; until then Unmeasured" in one for one in told
    )
    assert [known.variant for known in world.status.served] == ["uniform-v1"]
    assert world.status.fast_track is None


def test_a_promotion_in_full_waits_for_pods_and_for_nothing_else(world):
    world.pods_become_ready = False
    world.apply("rollout-aks.yaml")
    world.turn()
    ask(world, Verb.PROMOTE, full=True)
    for _ in range(20):
        world.turn()

    assert "waiting for capacity" in world.status.reason
    assert world.split.shares == EVERYBODY


def test_undo_brings_back_what_served_before_once_its_pods_are_ready(promoted):
    promoted.pods_become_ready = False
    ask(promoted, Verb.UNDO, reason="answers are short")
    for _ in range(5):
        promoted.turn()
    assert promoted.split.default == "aks-v1", "nobody is sent to pods that are not there"

    promoted.pods_become_ready = True
    promoted.pools["uniform-v1"].clear()
    promoted.until(lambda w: w.split.shares == EVERYBODY, promoted.turn)
    for _ in range(3):
        promoted.turn()

    assert promoted.status.stable_variant == "uniform-v1"
    assert promoted.status.phase is Phase.ABORTED
    assert promoted.rollout.spec.variant_ref.name == "aks-v1", "the spec is its owner's"
    assert "ada undid it: answers are short" in promoted.status.reason


def test_undo_over_stages_takes_each_for_its_time_and_asks_for_no_proof(promoted):
    promoted.applied.clear()
    ask(promoted, Verb.UNDO, over_basis_points=(1000, 5000))
    promoted.until(lambda w: w.split.shares == EVERYBODY and w.status.phase is Phase.ABORTED, promoted.turn)

    weights = [split.get("candidate uniform-v1", 0) for split in splits(promoted)]
    assert [weight for weight in weights if weight] == [1000, 5000, FULL_WEIGHT]
    assert promoted.status.stable_variant == "uniform-v1"
    assert "ada undid it" in promoted.status.flagged_off[-1].message


def test_a_second_undo_goes_no_further_than_what_served(promoted):
    ask(promoted, Verb.UNDO)
    promoted.until(lambda w: w.split.shares == EVERYBODY, promoted.turn)
    ask(promoted, Verb.UNDO)
    promoted.turn()

    assert promoted.status.stable_variant == "uniform-v1"
    assert (
        "which changes nothing: nothing that is not off served before uniform-v1" in promoted.status.history[-1].message
    )


def test_undo_says_what_is_to_be_done_where_a_candidate_moves_or_the_variant_is_gone(promoted):
    del promoted.revisions["uniform-v1"]
    ask(promoted, Verb.UNDO)
    promoted.turn()
    gone = promoted.status.history[-1].message
    promoted.want(variant_ref=Reference(name="dpp-v1"))
    promoted.turn()
    ask(promoted, Verb.UNDO)
    promoted.turn()

    assert "SamplerVariant 'uniform-v1', which served before, does not exist any more: apply it" in gone
    assert "pitwall abort takes it off" in promoted.status.history[-1].message
    assert promoted.status.candidate_variant == "dpp-v1"


def test_an_undone_variant_stays_off_until_a_retry_which_takes_all_stages(promoted):
    ask(promoted, Verb.UNDO)
    promoted.until(lambda w: w.split.shares == EVERYBODY, promoted.turn)
    promoted.want(rollback_window_seconds=86_400)
    promoted.turn()
    assert promoted.status.phase is Phase.ABORTED
    ask(promoted, Verb.RETRY)
    promoted.turn()
    promoted.turn()

    assert promoted.status.candidate_variant == "aks-v1"
    assert promoted.status.stage_index == 0


@pytest.mark.parametrize(
    ("window", "later", "stage"),
    [
        pytest.param(3600, 0, 4, id="within-the-window-it-needs-no-stages"),
        pytest.param(3600, 7200, 0, id="after-it-it-needs-all"),
        pytest.param(0, 0, 0, id="without-a-window-too"),
    ],
)
def test_a_variant_that_served_lately_comes_back_without_a_ramp(promoted, window, later, stage):
    promoted.now += later
    promoted.want(rollback_window_seconds=window, variant_ref=Reference(name="uniform-v1"))
    promoted.turn()
    promoted.turn()

    assert promoted.status.stage_index == stage
    if window and not later:
        promoted.until(lambda w: w.split.shares == EVERYBODY, promoted.turn)
        assert promoted.status.phase is Phase.STABLE
        assert [known.variant for known in promoted.status.served] == ["uniform-v1", "aks-v1"]


def test_a_revision_that_never_served_needs_all_stages_also_within_the_window(promoted):
    promoted.revisions["uniform-v1"] = "r2"
    promoted.want(rollback_window_seconds=3600, variant_ref=Reference(name="uniform-v1"))
    promoted.turn()
    promoted.turn()

    assert promoted.status.stage_index == 0


def test_a_variant_that_turns_bad_after_its_bake_is_nobodys_business_but_a_persons(promoted):
    for _ in range(60):
        promoted.block("aks-v1", candidate_seconds=0.5, bad=8, good=2)
        promoted.turn()

    assert promoted.status.phase is Phase.STABLE
    assert promoted.status.stable_variant == "aks-v1"


def test_no_gate_stops_an_undo(promoted):
    ask(promoted, Verb.UNDO, over_basis_points=(1000, 5000))
    for _ in range(60):
        promoted.block("uniform-v1", candidate_seconds=0.5, bad=8, good=2)
        promoted.turn()
    promoted.until(lambda w: w.split.shares == EVERYBODY, promoted.turn)

    assert promoted.status.stable_variant == "uniform-v1"
