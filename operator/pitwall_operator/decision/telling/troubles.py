"""Says what the platform refused, in its own words, and has it told once.

Pure: no clock, chance or I/O.
"""

import re
from collections.abc import Iterator

from pitwall_crds.names import EventReason
from pitwall_crds.resource import ConditionStatus
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.decision.goal.capacity import running
from pitwall_operator.decision.goal.wanted import wanted
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.observation import Observation

NAMES = re.compile(r'"[^"]*"|\d+')
"""What differs between two refusals of the same kind: names of pods, and numbers."""


def refusals(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """What could not be done in the turn before, and which pods the platform refuses to make."""
    pools = (running(seen, key) for key in wanted(spec, status, seen).pools)
    return "; ".join((*seen.failures, *dict.fromkeys(pool.refusal for pool in pools if pool and pool.refusal)))


def tell_refusals(before: RolloutStatus, refused: str) -> Iterator[Announce]:
    """A warning where something else is refused than the turn before."""
    known = next((one for one in before.conditions if one.type == "Applied"), None)
    told = known.message if known and known.status is ConditionStatus.FALSE else ""
    if refused and NAMES.sub("", refused[:2048]) != NAMES.sub("", told):
        yield Announce(EventReason.REFUSED, refused, warning=True)
