"""Says when a rollout's next turn is due, and which rollouts are looked at again because a flag was written.

Does no I/O.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from pitwall_operator.decision.goal.capacity import lent
from pitwall_operator.decision.steps.move import MOVING
from pitwall_operator.kube.client import Object
from pitwall_operator.kube.pools.deployments import ready_replicas
from pitwall_operator.kube.whose import pool_of
from pitwall_operator.turn.turn import TurnResult
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.observation import Observation, Unseen

MOVING_SECONDS: Final = 1.0
UNSETTLED_SECONDS: Final = 5.0


@dataclass(slots=True)
class Due:
    """When rollouts are looked at again.

    Attributes:
        resync_seconds: when one that rests is.
    """

    resync_seconds: float
    _flags_beside: dict[Key, frozenset[str]] = field(default_factory=dict)

    def after(self, rollout: Key, done: TurnResult, pools: Iterable[Object]) -> float:
        """In how many seconds, after a turn that was done; the pools are those that bear the rollout's label."""
        is_told = self._remember(rollout, done.seen)
        if done.decision.status.phase in MOVING:
            return MOVING_SECONDS
        own = [found for found in pools if not _is_anothers(found, done.seen)]
        acted = any(not isinstance(effect, Announce) for effect in done.decision.effects)
        waiting = any(ready_replicas(found) < int(found["spec"]["replicas"]) for found in own)
        settled = is_told and not acted and not waiting and len(own) <= 1
        return self.resync_seconds if settled else UNSETTLED_SECONDS

    def beside(self, flags: Collection[str]) -> frozenset[Key]:
        """Rollouts that have to do with variants to which one of these flags sent users in their last turn."""
        return frozenset(rollout for rollout, known in self._flags_beside.items() if not known.isdisjoint(flags))

    def forget(self, rollout: Key) -> None:
        """The rollout is gone."""
        self._flags_beside.pop(rollout, None)

    def _remember(self, rollout: Key, seen: Observation) -> bool:
        """Keep the flags beside a rollout; whether they are those of the turn before. What was written before they were
        known has woken nobody, so the rollout must be looked at once more."""
        flags = frozenset(() if isinstance(seen.elsewhere, Unseen) else seen.elsewhere.values())
        known = self._flags_beside.pop(rollout, frozenset())
        if flags:
            self._flags_beside[rollout] = flags
        return flags == known


def _is_anothers(deployment: Object, seen: Observation) -> bool:
    """Whether a pool stays as it is for another flag's users, and is none of this rollout's any more."""
    pool = pool_of(deployment)
    return pool is not None and not isinstance(seen.elsewhere, Unseen) and lent(seen, pool)
