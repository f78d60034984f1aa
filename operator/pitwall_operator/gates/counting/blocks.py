"""Chooses how long blocks last, and what of a stage's beginning is left out, from what gateways measure.

Pure: no clock, chance or I/O.
"""

import math
from typing import Final

from pitwall_crds.host.printable import shortened
from pitwall_crds.names import Label, Metric
from pitwall_crds.rollout.gate import Gate, Unit
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.gates.counting import counters
from pitwall_operator.values.observation import Reading

UNKNOWN_SECONDS: Final = 30
"""Block length until gateways have seen enough of the stable variant's traffic: longer than most queues remember."""
LEAST_SECONDS: Final = 2
LONGEST_SECONDS: Final = 3600
LONGEST_REASON: Final = 128
"""A status has room for so much, and a number that others measured may have any length."""
USUAL_WINDOWS: Final = {Unit.QUERY: 120.0, Unit.SESSION: 600.0, Unit.USER: 3600.0}
"""Seconds that gateways wait for a label unless they say otherwise."""


def with_block_length(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> RolloutStatus:
    """The status with the length of this run's blocks and its reason. Within a run it only ever grows."""
    seconds, reason = _length(spec, status, reading)
    if seconds <= status.block_seconds:
        return status
    return status.model_copy(update={"block_seconds": seconds, "block_reason": shortened(reason, LONGEST_REASON)})


def _length(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> tuple[int, str]:
    if spec.analysis.block_seconds is not None:
        return spec.analysis.block_seconds, "spec.analysis.blockSeconds"
    memory, history = (_gauge(reading, name, status.stable_variant) for name in MEASURED)
    if not memory:
        return UNKNOWN_SECONDS, f"gateways have not seen enough of {status.stable_variant} to say that less will do"
    seconds = math.ceil(min(max(memory, LEAST_SECONDS), LONGEST_SECONDS))
    return seconds, f"slow queries of {status.stable_variant} are correlated over {memory:g} s ({history:.0f} s seen)"


def memory(reading: Reading, variant: str) -> float:
    """The length of blocks that gateways' measurements ask for; 0 where they do not know."""
    measured = _gauge(reading, Metric.EVIDENCE_MEMORY, variant)
    return float(math.ceil(min(max(measured, LEAST_SECONDS), LONGEST_SECONDS))) if measured else 0.0


MEASURED: Final = (Metric.EVIDENCE_MEMORY, Metric.EVIDENCE_HISTORY)


def _gauge(reading: Reading, name: str, variant: str) -> float:
    """The largest that any gateway shows; 0 where none does."""
    shown = (
        value
        for source in reading.sources.values()
        for _, value in counters.select(source, name, **{Label.SAMPLER_VARIANT: variant})
    )
    return max(shown, default=0.0)


def label_delay(gate: Gate, reading: Reading | None = None) -> float:
    """Seconds after the weights changed in which a gate's labels are not weighed; without a reading as gateways
    usually wait.

    Of queries bad labels come sooner than good ones. Users and sessions are judged when their window has passed, good
    and bad at once; but who was moved to another arm meanwhile was heard for less of it.
    """
    if gate.rate is None or not gate.is_about_answers:
        return 0.0
    said, unit = gate.rate.label_delay_seconds, gate.rate.trial
    if unit is Unit.QUERY and said is not None:
        return said
    windows = (
        value
        for source in (reading.sources.values() if reading else ())
        for _, value in counters.select(source, Metric.LABEL_WINDOW, **{Label.UNIT: unit.lower()})
    )
    return max(max(windows, default=USUAL_WINDOWS[unit]), said or 0.0)
