"""Plans every run once, when it has begun and the stable variant's traffic is measured, without holding up turns."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.rollout import Rollout, RolloutSpec
from pitwall_operator.gates.counting.present import measure
from pitwall_operator.planning.words import plan_sentences
from pitwall_operator.values.observation import Reading, RunPlan, Unseen

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 30.0
"""How long until it is looked again whether enough traffic is measured."""
MOST_AT_ONCE: Final = 1
"""A plan is a second of computing: one after the other leaves the rest of the process its time."""
MOST_KEPT: Final = 64
"""So many plans wait to be asked for, each by the next turn of its rollout."""


async def sentences_of(spec: RolloutSpec, reading: Reading, stable: str, full_replicas: int) -> tuple[str, ...]:
    """A plan at the traffic that was measured of the stable variant; none where too little was."""
    return await asyncio.to_thread(_sentences_of, spec, reading, stable, full_replicas)


def _sentences_of(spec: RolloutSpec, reading: Reading, stable: str, full_replicas: int) -> tuple[str, ...]:
    present = measure(spec.analysis, reading, stable)
    return plan_sentences(spec, present.traffic, full_replicas=full_replicas) if present else ()


@dataclass(slots=True)
class RunPlanner:
    """The plans that are being made; all of it can be lost."""

    clock: Callable[[], float] = time.monotonic
    _making: dict[str, asyncio.Task[tuple[str, ...]]] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)

    def of(self, rollout: Rollout, reading: Reading | Unseen, full_replicas: int) -> RunPlan | None:
        """The plan of the present run as soon as it is made; None before, and where the status has it already."""
        status = rollout.status
        run = status.run_id
        if not status.candidate_variant or status.plan:
            self._forget(run)
            return None
        if run in self._making:
            return self._made(run)
        self._tidy()
        busy = sum(not task.done() for task in self._making.values()) >= MOST_AT_ONCE
        if busy or run in self._not_before or isinstance(reading, Unseen):
            return None
        making = sentences_of(rollout.spec, reading, status.stable_variant, full_replicas)
        self._making[run] = asyncio.ensure_future(making)
        return None

    def _made(self, run: str) -> RunPlan | None:
        """What became of a plan that was begun; where it says nothing, it is tried again later."""
        task = self._making[run]
        if not task.done():
            return None
        del self._making[run]
        if (error := task.exception()) is not None:
            log.warning("the run %s could not be planned: %s: %s", run, type(error).__name__, error)
        elif sentences := task.result():
            return RunPlan(run, sentences)
        self._not_before[run] = self.clock() + AGAIN_SECONDS
        return None

    def _tidy(self) -> None:
        """Forget what nobody asks for: runs that were replaced, or whose rollout is gone, before they had a plan."""
        self._not_before = {run: at for run, at in self._not_before.items() if at > self.clock()}
        for run in [run for run, task in self._making.items() if task.done()][:-MOST_KEPT]:
            self._made(run)

    def _forget(self, run: str) -> None:
        self._not_before.pop(run, None)
        if (task := self._making.pop(run, None)) is not None:
            task.cancel()
