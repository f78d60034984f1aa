"""Resources in a folder, as kubectl and an API server treat them."""

from pathlib import Path

import pytest

from pitwall_crds.reading.load import load_file
from pitwall_crds.status import GateStatus, Phase
from pitwall_operator.machine.resources import Applied, Resources
from pitwall_operator.values.errors import ResourceRefusedError

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def stored(tmp_path) -> Resources:
    found = Resources(tmp_path)
    for resource in (*load_file(EXAMPLES / "variants.yaml"), *load_file(EXAMPLES / "rollout.yaml")):
        found.apply(resource)
    return found


def test_the_same_file_again_changes_nothing(stored):
    again = [stored.apply(resource) for resource in load_file(EXAMPLES / "rollout.yaml")]

    assert again == [Applied.UNCHANGED]
    assert stored.rollouts()[0].metadata.generation == 1


def test_a_changed_spec_is_a_new_generation_and_keeps_its_status(stored):
    rollout = stored.rollouts()[0]
    stored.write_status(rollout, rollout.status.model_copy(update={"phase": Phase.STABLE}))
    stored.apply(load_file(EXAMPLES / "rollout-aks.yaml")[0])

    assert stored.rollouts()[0].metadata.generation == 2
    assert stored.rollouts()[0].status.phase is Phase.STABLE


def test_what_is_stored_comes_back_whole(stored):
    assert stored.variants() == tuple(
        sorted(
            (v.model_copy(update={"metadata": v.metadata.model_copy(update={"generation": 1})})
             for v in load_file(EXAMPLES / "variants.yaml")),
            key=lambda v: v.metadata.name,
        )
    )  # fmt: skip


def test_two_rollouts_on_one_flag_are_refused(stored):
    rollout = stored.rollouts()[0]
    other = rollout.model_copy(update={"metadata": rollout.metadata.model_copy(update={"name": "other"})})

    with pytest.raises(ResourceRefusedError, match=r"flag 'sampler.variant'.*'sampler' already moves"):
        stored.apply(other)


def test_delete_forgets(stored):
    assert stored.delete("Rollout", "sampler")
    assert stored.rollouts() == ()
    assert not stored.delete("Rollout", "sampler")


def test_a_status_that_could_not_be_read_again_does_not_replace_one_that_can(stored):
    rollout = stored.rollouts()[0]
    gate = GateStatus(name="errors").model_copy(update={"missing_trials": 10**12})

    with pytest.raises(ValueError, match="missingTrials"):
        stored.write_status(rollout, rollout.status.model_copy(update={"gates": (gate,)}))
    assert stored.rollouts()[0].status == rollout.status
