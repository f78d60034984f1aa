"""The interface of every e-process, and how its numbers are kept between restarts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

from pitwall_operator.evidence.basis.counts import Counts

State = dict[str, Any]
"""A process as JSON: integers, and decimals as their shortest exact text, so that restoring loses nothing."""


class EProcess(Protocol):
    """A bet against a null hypothesis, as a value."""

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""

    @property
    def peak_log_e(self) -> float:
        """The largest log_e ever: a threshold once crossed stays crossed."""

    def update(self, counts: Counts) -> Self:
        """The process after one more block."""

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""


def texts(values: Sequence[float]) -> list[str]:
    """Decimals as text that reads back to the same bits."""
    return [repr(value) for value in values]


def decimals(values: Sequence[str]) -> tuple[float, ...]:
    """The inverse of `texts`."""
    return tuple(float(value) for value in values)
