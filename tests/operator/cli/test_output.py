"""Tables and trees for every phase and condition, also for specs that were changed since the operator looked."""

import io
import os
import pty
import subprocess
import sys

import pytest
from rich.console import Console

from pitwall_crds.names import Arm
from pitwall_crds.resource import Condition, ConditionStatus
from pitwall_crds.rollout.rollout import Approval
from pitwall_crds.rollout.status import ArmWeight, FlaggedOff, Phase, Verdict
from pitwall_operator.cli.output.tables import candidate_weight, percent, rollout_table, since, stage_words
from pitwall_operator.cli.output.tree import PODS_SHOWN, tree
from pitwall_operator.cli.sources.port import Pod, PoolView


def drawn(part: object) -> str:
    target = io.StringIO()
    Console(file=target, width=200, highlight=False).print(part)
    return target.getvalue()


def with_status(world, **status):
    return world.rollout.model_copy(update={"status": world.status.model_copy(update=status)})


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_phase_and_verdict_has_a_row_and_a_tree(world, phase, verdict):
    found = with_status(world, phase=phase, verdict=verdict, stage="", candidate_variant="aks-v1")

    assert verdict.value in drawn(rollout_table([found], everywhere=True))
    assert f"default/sampler  {phase}" in drawn(tree(found, ()))
    assert stage_words(found) == phase.lower()


@pytest.mark.parametrize("status", list(ConditionStatus))
@pytest.mark.parametrize("kind", ["Ready", "Progressing", "Degraded", "Stalled", "Measured", "SampleRatio"])
def test_every_condition_has_a_line(world, kind, status):
    one = Condition(type=kind, status=status, reason="Because", message="of this", last_transition_time="t")
    text = drawn(tree(with_status(world, conditions=(one,)), ()))

    assert f"{kind}  {status.value}  Because: of this" in text


def test_a_rollout_that_nobody_looked_at_says_so(cold_world):
    text = drawn(tree(cold_world.rollout, ()))

    assert "nothing serves yet" in text
    assert "none yet: no operator has looked at this Rollout" in text


def test_a_spec_that_the_operator_has_not_seen_is_stale(world):
    world.want(paused=True)
    text = drawn(tree(world.rollout, ()))

    assert "stale: the operator has not yet seen the newest spec" in text
    assert "(paused)" in text


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_spec_with_fewer_stages_than_the_operator_is_at_can_be_shown(world, stages):
    """Between an edit and the next turn the status speaks of a stage that is no more."""
    found = with_status(world, candidate_variant="aks-v1", stage_index=9)
    found = found.model_copy(update={"spec": found.spec.model_copy(update={"stages": found.spec.stages[-stages:]})})

    assert f"{stages} of {stages}: " in drawn(tree(found, ()))


def test_limits_and_approval_of_a_stage_are_told(world):
    world.apply("rollout-aks.yaml")
    stage = world.rollout.spec.stages[1].model_copy(
        update={"max_seconds": 900, "bake_seconds": 30, "approval": Approval.MANUAL}
    )
    spec = world.rollout.spec.model_copy(update={"stages": (world.rollout.spec.stages[0], stage)})
    for approved, words in ((-1, "needs a person's `promote`"), (1, "approved by a person")):
        found = with_status(world, candidate_variant="aks-v1", stage_index=1, approved_stage=approved)
        text = drawn(tree(found.model_copy(update={"spec": spec}), ()))
        assert words in text
        assert "at most 900 s, then Hold; bakes 30 s" in text
        assert "not begun" in text


def test_what_is_off_is_told_with_gate_and_evidence(world):
    off = FlaggedOff(
        variant="aks-v1", revision="r1", gate="errors", message="12 of 100 against 1", time="2026-01-01T00:00:00Z"
    )

    assert "aks-v1 (revision r1) by errors, " in drawn(tree(with_status(world, flagged_off=(off,)), ()))


def pool(*, ready: int, pods: int, namespace: str = "default", variant: str = "uniform-v1") -> PoolView:
    waiting = tuple(Pod(f"pod-{n}", n < ready, "" if n < ready else "ImagePullBackOff") for n in range(pods))
    return PoolView(namespace, variant, "main", "", ready, pods, waiting)


def test_pods_that_wait_are_named_up_to_a_limit(world):
    text = drawn(tree(world.rollout, [pool(ready=1, pods=PODS_SHOWN + 4)]))

    assert f"1/{PODS_SHOWN + 4} ready  revision ?" in text
    assert text.count("ImagePullBackOff") == PODS_SHOWN
    assert "and 3 more" in text


def test_pools_of_other_namespaces_and_variants_are_others(world):
    others = [pool(ready=1, pods=1, namespace="elsewhere"), pool(ready=1, pods=1, variant="topk-v1")]

    assert "1/1 ready" not in drawn(tree(world.rollout, others))
    assert "not shown: forbidden" in drawn(tree(world.rollout, [], unseen="not shown: forbidden"))


@pytest.mark.parametrize(("points", "text"), [(0, "0%"), (1, "0.01%"), (50, "0.5%"), (1250, "12.5%"), (10_000, "100%")])
def test_shares_as_people_write_them(points, text):
    assert percent(points) == text


def test_the_weight_column_is_the_candidates(world):
    weights = (
        ArmWeight(arm=Arm.CANDIDATE, variant="aks-v1", weight_basis_points=150),
        ArmWeight(arm=Arm.STABLE, variant="uniform-v1", weight_basis_points=9850),
    )

    assert candidate_weight(with_status(world, weights=weights)) == "1.5%"
    assert candidate_weight(with_status(world, weights=())) == "0%"
    assert since("") == "–"


@pytest.mark.slow
def test_on_a_terminal_a_trouble_is_colored_and_not_marked_up(tmp_path):
    """Rich takes standard error for a terminal here; its markup must not be shown as text."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-c", "from pitwall_operator.cli.app import main; main()", "explain"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    done = subprocess.run(
        command, stderr=follower, stdout=subprocess.DEVNULL, cwd=tmp_path, env=environment, check=False
    )
    said = os.read(leader, 4096).decode()
    os.close(follower)
    os.close(leader)

    assert done.returncode == 3
    assert "[bold red]" not in said
    assert "\x1b[1;31mpitwall:\x1b[0m .pitwall holds no resources" in said
