"""Plans every run once, when it has begun and the stable variant's traffic is measured, without holding up turns."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.rollout.rollout import Rollout, RolloutSpec
from pitwall_operator.gates.counting.present import measure
from pitwall_operator.planning.words import plan_sentences
from pitwall_operator.values.observation import Reading, RunPlan, Unseen

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 30.0
"""How long until it is looked again whether enough traffic is measured."""
THREAD: Final = ThreadPoolExecutor(1, "plans")
"""For the plans of runs: a plan is seconds of computing, and an event loop's usual threads are others' too."""


async def sentences_of(
    spec: RolloutSpec, reading: Reading, stable: str, full_replicas: int, thread: Executor
) -> tuple[str, ...]:
    """A plan at the traffic that was measured of the stable variant; none where too little was."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(thread, _sentences_of, spec, reading, stable, full_replicas)


def _sentences_of(spec: RolloutSpec, reading: Reading, stable: str, full_replicas: int) -> tuple[str, ...]:
    present = measure(spec.analysis, reading, stable)
    return plan_sentences(spec, present.traffic, full_replicas=full_replicas) if present else ()


@dataclass(slots=True)
class _Plan:
    """What is known of the plan of one run. Whoever makes it writes into it, wanted or not."""

    run: str
    sentences: tuple[str, ...] = ()
    not_before: float = 0.0


@dataclass(slots=True)
class RunPlanner:
    """The plans of rollouts' present runs; all of it can be lost.

    One is made at a time, and ends whatever becomes of its run. Then its namespace rests for as long as that took, so
    that no namespace's runs, however many and however long to plan, keep all others from theirs.
    """

    clock: Callable[[], float] = time.monotonic
    _plans: dict[tuple[str, str], _Plan] = field(default_factory=dict)
    _making: asyncio.Task[None] | None = None
    _rests: dict[str, float] = field(default_factory=dict)

    def of(self, rollout: Rollout, reading: Reading | Unseen, full_replicas: int) -> RunPlan | None:
        """The plan of the present run as soon as it is made; None before, and where the status has it already."""
        status, key = rollout.status, (rollout.metadata.namespace, rollout.metadata.name)
        if not status.candidate_variant or status.plan:
            self.forget(key)
            return None
        plan = self._plans.get(key)
        if plan is None or plan.run != status.run_id:
            plan = self._plans[key] = _Plan(status.run_id)
        if plan.sentences:
            return RunPlan(plan.run, plan.sentences)
        if not isinstance(reading, Unseen) and self._may_begin(key[0], plan):
            making = sentences_of(rollout.spec, reading, status.stable_variant, full_replicas, THREAD)
            self._making = asyncio.ensure_future(self._make(key[0], plan, making))
        return None

    def forget(self, key: tuple[str, str]) -> None:
        """The rollout is gone, or needs no plan."""
        self._plans.pop(key, None)

    def _may_begin(self, namespace: str, plan: _Plan) -> bool:
        now = self.clock()
        return self._making is None and max(plan.not_before, self._rests.get(namespace, now)) <= now

    async def _make(self, namespace: str, plan: _Plan, making: Coroutine[None, None, tuple[str, ...]]) -> None:
        """Write a plan; where it says nothing, it is tried again later."""
        begun = self.clock()
        try:
            plan.sentences = await making
        except Exception as error:  # whatever is wrong with one plan, turns go on
            log.warning("the run %s could not be planned: %s: %s", plan.run, type(error).__name__, error)
        finally:
            now, self._making = self.clock(), None
            plan.not_before = now + AGAIN_SECONDS
            self._rests = {name: until for name, until in self._rests.items() if until > now}
            self._rests[namespace] = now + (now - begun)
