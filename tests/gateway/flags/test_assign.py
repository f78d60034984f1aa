"""Who answers a user, whatever the flags say."""

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.flags.assign import Assigner, Assignment
from pitwall_gateway.flags.port import FixedFlags

FLAG = "sampler.variant"


def assigner(values, default="uniform-v1"):
    return Assigner(FixedFlags(values), FLAG, lambda last: last or default)


@pytest.mark.parametrize("arm", [Arm.CANDIDATE, Arm.CONTROL, Arm.STABLE])
def test_the_flags_variant_key_is_the_arm_and_its_value_the_variant(arm):
    assert assigner({FLAG: (arm, "aks-v2")}).assign("ann") == Assignment(arm, "aks-v2", "STATIC")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="no-such-flag"),
        pytest.param({FLAG: ("", "")}, id="no-value"),
        pytest.param({FLAG: ("stable", "")}, id="an-empty-variant"),
        pytest.param({FLAG: ("blue", "aks-v2")}, id="a-variant-key-that-is-no-arm"),
        pytest.param({FLAG: ("shadow", "aks-v2")}, id="users-are-never-answered-by-a-shadow"),
    ],
)
def test_a_failing_flag_means_the_default_variant_with_reason_error(values):
    assert assigner(values).assign("ann") == Assignment(Arm.STABLE, "uniform-v1", "ERROR")


@pytest.mark.parametrize(
    ("arm", "variant", "stable"),
    [("stable", "scene-v3", "scene-v3"), ("control", "scene-v3", "scene-v3"), ("candidate", "aks-v2", "uniform-v1")],
)
def test_the_last_known_stable_variant_survives_a_failing_flag(arm, variant, stable):
    values = {FLAG: (arm, variant)}
    subject = assigner(values)
    subject.assign("ann")
    values.clear()

    assert subject.assign("ann") == Assignment(Arm.STABLE, stable, "ERROR")


def test_with_nothing_known_the_variant_is_empty():
    assert assigner({}, default="").assign("ann").variant == ""


def test_copies_go_to_the_shadow_and_to_each_experiment_once():
    values = {
        FLAG: ("stable", "uniform-v1"),
        FLAG + ".shadow": ("shadow", "aks-v2"),
        FLAG + ".experiment.air-v1": ("shadow", "air-v1"),
        FLAG + ".experiment.aks-v2": ("shadow", "aks-v2"),
        FLAG + ".experiment.off-v1": ("off", ""),
        FLAG + ".shadowy": ("shadow", "not-ours"),
        "other.variant.shadow": ("shadow", "not-ours"),
    }

    copies = assigner(values).copies("ann")

    assert copies == (ArmSeries("air-v1", Arm.SHADOW), ArmSeries("aks-v2", Arm.SHADOW))


def test_an_assignment_carries_the_run_of_its_split_and_a_copy_that_of_the_shadow(split_flags):
    values = {FLAG: ("candidate", "aks-v2"), FLAG + ".shadow": ("shadow", "air-v1")}
    runs = {FLAG: "run-1", FLAG + ".shadow": "run-2"}
    subject = Assigner(split_flags(values, runs), FLAG, lambda last: last)

    before = subject.assign("ann").series
    copies = subject.copies("ann")
    runs[FLAG] = "run-3"

    assert before == ArmSeries("aks-v2", Arm.CANDIDATE, "run-1")
    assert copies == (ArmSeries("air-v1", Arm.SHADOW, "run-2"),)
    assert subject.assign("ann").series == ArmSeries("aks-v2", Arm.CANDIDATE, "run-3")


def test_experiments_have_no_run_and_leave_the_candidates_pairs_alone(split_flags):
    experiment = FLAG + ".experiment.aks-v2"
    values = {FLAG + ".shadow": ("shadow", "aks-v2"), experiment: ("shadow", "aks-v2")}
    subject = Assigner(split_flags(values, {FLAG + ".shadow": "run-1", experiment: "run-1"}), FLAG, lambda last: last)

    both = subject.copies("ann")
    values[FLAG + ".shadow"] = ("off", "")

    assert both == (ArmSeries("aks-v2", Arm.SHADOW, "run-1"),)
    assert subject.copies("ann") == (ArmSeries("aks-v2", Arm.SHADOW),)


def test_a_failing_flag_assigns_without_a_run(split_flags):
    subject = Assigner(split_flags({}, {FLAG: "run-1"}), FLAG, lambda last: "uniform-v1")

    assert subject.assign("ann").series == ArmSeries("uniform-v1", Arm.STABLE)


@pytest.mark.parametrize(
    ("changes", "arm", "run"), [(1, Arm.STABLE, "run-1"), (2, Arm.STABLE, "run-2"), (9, Arm.STABLE, "")]
)
def test_a_flag_that_changes_while_it_is_evaluated_is_evaluated_again(split_flags, changes, arm, run):
    """Arm and run are of one document; a flag that never holds still assigns without a run."""

    class Moving(split_flags):
        looks = 0

        def resolve(self, key, targeting_key):
            told = super().resolve(key, targeting_key)
            if self.looks < changes:
                self.looks += 1
                self.runs[FLAG] = f"run-{self.looks}"
                values[FLAG] = ("stable", f"uniform-v{self.looks}")
            return told

    values = {FLAG: ("candidate", "aks-v2")}

    found = Assigner(Moving(values, {FLAG: "run-0"}), FLAG, lambda last: last).assign("ann")

    assert (found.arm, found.run) == (arm, run)
    assert run in ("", found.variant.replace("uniform-v", "run-"))
