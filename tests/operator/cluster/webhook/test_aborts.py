"""An abort that was written goes first: no edit takes its place until it is carried out."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pitwall_operator.cluster.webhook.aborts import overtaken_abort
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS

EXAMPLE = yaml.safe_load((Path(__file__).parents[4] / "examples" / "rollout-aks.yaml").read_text())
ABORT = {"id": "a1", "verb": "Abort", "actor": "ann"}


def rollout(action: dict[str, Any] | None, *, done: str = "", **metadata: Any) -> dict[str, Any]:
    spec = {**EXAMPLE["spec"], **({"action": action} if action else {})}
    return {**EXAMPLE, "metadata": {**EXAMPLE["metadata"], **metadata}, "spec": spec, "status": {"lastActionId": done}}


@pytest.mark.parametrize(
    "wanted",
    [*({"id": "p1", "verb": verb} for verb in ("Promote", "Retry", "Undo")), {"id": "a1", "verb": "Promote"}, None],
    ids=["promote", "retry", "undo", "under the same id", "none"],
)
def test_nothing_takes_the_place_of_an_abort_that_waits(wanted):
    words = overtaken_abort(ROLLOUTS, "UPDATE", rollout(wanted), rollout(ABORT))

    assert "waits for its abort by ann (id a1) to be carried out, which goes first: ask again once" in words
    assert "`pitwall kill` needs no operator" in words


@pytest.mark.parametrize(
    ("found", "before"),
    [
        pytest.param(rollout({"id": "p1", "verb": "Promote"}), rollout(ABORT, done="a1"), id="it was carried out"),
        pytest.param(rollout({"id": "a2", "verb": "Abort"}), rollout(ABORT), id="another abort"),
        pytest.param(rollout({"id": "p2", "verb": "Promote"}), rollout({"id": "p1", "verb": "Retry"}), id="no abort"),
        pytest.param({**rollout(ABORT), "spec": {**rollout(ABORT)["spec"], "paused": True}}, rollout(ABORT), id="edit"),
        pytest.param(rollout(None, deletionTimestamp="2026-01-01T00:00:00Z"), rollout(ABORT), id="it leaves"),
        pytest.param(rollout(None), {}, id="nothing was stored"),
        pytest.param(rollout(None), {"spec": {"action": ABORT}}, id="what was stored cannot be read"),
    ],
)
def test_whatever_takes_no_aborts_place_passes(found, before):
    assert overtaken_abort(ROLLOUTS, "UPDATE", found, before) == ""


def test_only_edits_of_rollouts_are_judged():
    assert overtaken_abort(VARIANTS, "UPDATE", rollout(None), rollout(ABORT)) == ""
    assert overtaken_abort(ROLLOUTS, "DELETE", rollout(ABORT), rollout(ABORT)) == ""
