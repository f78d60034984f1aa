"""How many pods an arm has where an autoscaler drives them, and where none does."""

import pytest

from pitwall_crds.rollout.status import HistoryEntry, RolloutStatus
from pitwall_operator.decision.goal import scale
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation, ScaleBounds, ShadowSeen, SplitSeen, Unseen, VariantSeen

NOW = 1_800_000_000.0
BOUNDS = ScaleBounds(1, 20)


def seen(stable: int, candidate: int, bounds: ScaleBounds | None = BOUNDS) -> Observation:
    variants = {"old": VariantSeen("r", stable, scaling=bounds), "new": VariantSeen("r", candidate, scaling=bounds)}
    return Observation(NOW, variants, SplitSeen(), ShadowSeen(), Unseen("not asked"))


def moving(full: int = 0, candidate: str = "new") -> RolloutStatus:
    return RolloutStatus(
        stable_variant="old", stable_revision="r", candidate_variant=candidate, candidate_revision="r2",
        run_start_time=timestamps.to_text(NOW - 60), full_replicas=full,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("full", "asked", "weight", "pods"),
    [
        pytest.param(10, 1, 1000, 1, id="a-tenth"),
        pytest.param(10, 1, 5000, 5, id="the-next-weight-before-the-autoscaler-knows"),
        pytest.param(10, 7, 5000, 7, id="more-than-the-share-if-the-load-asks-for-it"),
        pytest.param(30, 1, 10_000, 20, id="never-more-than-the-bound"),
    ],
)
def test_a_scaled_candidate_has_what_its_weight_needs_and_what_its_autoscaler_asks_beyond(full, asked, weight, pods):
    assert scale.candidate_replicas(moving(full), seen(3, asked), weight) == pods


def test_without_an_autoscaler_replicas_are_those_at_full_weight():
    assert scale.candidate_replicas(moving(10), seen(10, 4, None), 5000) == 2
    assert scale.stable_replicas(moving(10), seen(3, 4, None)) == 3


def test_an_edit_of_the_stable_variant_is_not_what_that_ones_autoscaler_knows():
    assert scale.candidate_replicas(moving(10, "old"), seen(9, 9), 1000) == 1


def test_the_way_back_keeps_its_pods_while_a_candidate_moves():
    assert scale.stable_replicas(moving(10), seen(2, 8)) == 10


def test_a_dedicated_control_is_loaded_as_its_candidate():
    assert scale.control_replicas(moving(10), seen(3, 8), 5000, 5000) == scale.candidate_replicas(
        moving(10), seen(3, 8), 5000
    )


def test_what_served_everybody_is_remembered_from_the_runs_begin_until_autoscalers_know_the_result():
    begun = moving().model_copy(update={"run_start_time": timestamps.to_text(NOW)})
    remembered = scale.remember_full(begun, seen(6, 1))
    later = scale.remember_full(
        remembered.model_copy(update={"run_start_time": "2026-01-01T00:00:00.000Z"}), seen(2, 9)
    )
    ended = HistoryEntry(time=timestamps.to_text(NOW - 30), reason="Promoted", message="new serves everybody")
    over = later.model_copy(update={"candidate_variant": "", "stable_variant": "new", "history": (ended,)})
    settled = over.model_copy(update={"history": (ended.model_copy(update={"time": timestamps.to_text(NOW - 700)}),)})

    assert (remembered.full_replicas, later.full_replicas) == (6, 6)
    assert scale.stable_replicas(scale.remember_full(over, seen(2, 1)), seen(2, 1)) == 6
    assert scale.remember_full(settled, seen(2, 1)).full_replicas == 0
