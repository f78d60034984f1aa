"""Says which samples no process of ours can have counted, before anything is computed from them.

A pod of a namespace is somebody else's image, and may show anything under our names. Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping
from typing import Final

from pitwall_crds.names import Metric

LARGEST: Final = 2.0**53
"""Beyond it a float does not grow by one any more, so nothing that counts gets there."""
BUCKET: Final = "_bucket"
UPPER_EDGE: Final = "le"
SIGNED: Final = frozenset({Metric.EVIDENCE_SHIFT})
"""What is no count: a way from one value to another."""


def sample_fault(name: str, labels: Mapping[str, str], value: float) -> str:
    """Why a sample is none that was counted, or measured in seconds or tokens; empty if it may be one."""
    if not 0 <= (abs(value) if name in SIGNED else value) <= LARGEST:  # nor is NaN
        return f"{name} is {_short(value)}, and nothing that is counted is so"
    if name.endswith(BUCKET) and not _is_number(labels.get(UPPER_EDGE, "")):
        return f"{name} has a bucket whose label {UPPER_EDGE} is no number"
    return ""


def _short(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number of hundreds of digits"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
