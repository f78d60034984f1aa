"""Whose series an event is counted on."""

from dataclasses import dataclass

from pitwall_crds.names import Arm


@dataclass(frozen=True, slots=True)
class ArmSeries:
    """One arm of one variant. `run` is the salt of the split that assigned the question, empty without a split; what
    belongs to another run is another series."""

    variant: str
    arm: Arm
    run: str = ""
