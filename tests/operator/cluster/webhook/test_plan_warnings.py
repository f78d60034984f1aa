"""Whoever changes a Rollout that serves is told how long it will take; whoever does not wait is not held up."""

import asyncio
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from pitwall_crds.names import Metric
from pitwall_operator.cluster.webhook import plan_warnings as module
from pitwall_operator.cluster.webhook.peer_turns import PeerTurns
from pitwall_operator.cluster.webhook.plan_warnings import plan_warnings
from pitwall_operator.cluster.webhook.reviewing import MOST_OF_ONE
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

ROLLOUT = yaml.safe_load((Path(__file__).parents[4] / "examples" / "rollout-aks.yaml").read_text())
QUERIES = ({"sampler_variant": "uniform-v1", "arm": "stable", "outcome": "ok"}, 5000.0)
MEASURED = Reading(1000.0, {"gateway": ProcessCounters(0.0, {Metric.QUERIES: (QUERIES,)})})


class SilentReader:
    """Prometheus as it answers, or does not."""

    def __init__(self, answer: Reading | Unseen | None) -> None:
        self.answer = answer

    async def look(self, rollout: Any) -> Reading | Unseen:
        assert rollout.status.stable_variant == "uniform-v1"
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


def rollout(*, status: dict | None = None, **spec: Any) -> dict[str, Any]:
    head = {"name": "sampler", "namespace": "shop", "uid": "u", "resourceVersion": "1"}
    found = {**ROLLOUT, "metadata": head, "spec": {**ROLLOUT["spec"], **spec}}
    return found if status is None else {**found, "status": status}


@pytest.fixture
def cache() -> Cache:
    cache = Cache()
    cache.put(ROLLOUTS, rollout(status={"stableVariant": "uniform-v1"}))
    return cache


async def warned(cache: Cache, found: dict, answer: Reading | Unseen | None = MEASURED, operation: str = "UPDATE"):
    return await plan_warnings(ROLLOUTS, operation, found, cache, SilentReader(answer))


async def test_a_changed_rollout_is_planned(cache):
    told = await warned(cache, rollout(variantRef={"name": "dpp-v1"}))

    assert 1 <= len(told) <= module.MOST
    assert told[0].startswith("at 5 questions a second a healthy candidate ")
    assert max(map(len, told)) < 256


@pytest.mark.parametrize(
    ("found", "operation"),
    [
        pytest.param(rollout(), "UPDATE", id="nothing is changed"),
        pytest.param(rollout(action={"id": "1", "type": "Promote"}), "UPDATE", id="a person acts"),
        pytest.param(rollout(variantRef={"name": "dpp-v1"}), "CREATE", id="made anew"),
        pytest.param(rollout(variantRef={"name": "dpp-v1"}), "DELETE", id="deleted"),
        pytest.param(rollout(variantRef=5), "UPDATE", id="cannot be read"),
    ],
)
async def test_what_starts_nothing_is_not_planned(cache, found, operation):
    assert await warned(cache, found, operation=operation) == ()


async def test_where_nothing_serves_there_is_no_traffic_to_plan_with(cache):
    cache.put(ROLLOUTS, {**rollout(status={}), "metadata": {**rollout()["metadata"], "resourceVersion": "2"}})
    assert await warned(cache, rollout(variantRef={"name": "dpp-v1"})) == ()


async def test_a_variant_is_not_planned(cache):
    assert await plan_warnings(VARIANTS, "UPDATE", rollout(), cache, SilentReader(MEASURED)) == ()


async def test_what_cannot_be_measured_is_left_out(cache):
    assert await warned(cache, rollout(variantRef={"name": "dpp-v1"}), Unseen("Prometheus is down")) == ()


async def test_a_silent_prometheus_holds_nobody_up(cache, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    assert await warned(cache, rollout(variantRef={"name": "dpp-v1"}), None) == ()


async def test_of_many_edits_at_once_a_few_wait_for_their_plans_and_others_go_without(cache, monkeypatch):
    """The API server is one peer, of which few reviews are worked on at once, and has 5 s for each."""
    turns, planned = PeerTurns(MOST_OF_ONE), rollout(variantRef={"name": "dpp-v1"})
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3600.0)

    async def reviewed():
        async with turns.turn("10.0.0.1"):
            return await warned(cache, planned, None)

    reviews = [asyncio.create_task(reviewed()) for _ in range(300)]
    for review in islice(asyncio.as_completed(reviews, timeout=30), 300 - module.AT_ONCE):
        assert await review == ()

    waiting = [review for review in reviews if review.cancel()]
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(waiting) == module.AT_ONCE
    assert await warned(cache, planned)
