"""The name and the phase of a rollout's stage.

Pure: no clock, chance or I/O.
"""

from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import Phase


def stage_name(spec: RolloutSpec, index: int) -> str:
    """A stage as people call it: `shadow`, `1%`, `bake`."""
    stage = spec.stages[index]
    if stage.shadow:
        return "shadow"
    return f"{stage.weight / 100:g}%"


def stage_phase(spec: RolloutSpec, index: int) -> Phase:
    """The phase that a stage belongs to."""
    if spec.stages[index].shadow:
        return Phase.SHADOW
    return Phase.BAKE if index == len(spec.stages) - 1 else Phase.CANARY
