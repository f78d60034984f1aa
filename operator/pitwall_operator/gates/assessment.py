"""The types that pass through a gate: the stage it is asked about, and the assessment that it returns."""

from dataclasses import dataclass
from enum import StrEnum

from pitwall_crds.rollout.status import Verdict


class StageKind(StrEnum):
    """Which evidence a stage yields: pairs, a split against the control, or the candidate alone."""

    SHADOW = "shadow"
    CANARY = "canary"
    BAKE = "bake"


@dataclass(frozen=True, slots=True)
class StageContext:
    """The stage in which a gate is assessed. `canary_index` picks the promote margin; the last margin repeats."""

    kind: StageKind
    canary_index: int = 0


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """One e-process against its threshold, both as natural logarithms; only an acting one can decide."""

    name: str
    log_e: float
    log_threshold: float
    acting: bool


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict, why, and how many more candidate trials the proof of non-inferiority needs (None: cannot be said).

    `warning` says what is wrong with the comparison itself. Where only chance tells control and stable apart, nothing
    passes then; where their pods differ too, the verdict stands. `is_fair` is False while the control's pods are still
    warming up, and where a candidate blames videos' servers: what is inconclusive then was not measured. `blames`: the
    latter, in this stage.
    """

    verdict: Verdict
    message: str
    readings: tuple[ProcessReading, ...]
    missing_trials: int | None
    warning: str = ""
    is_fair: bool = True
    blames: bool = False
