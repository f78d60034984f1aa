"""A policy's outcome in every run: when it rolled back or promoted, and how many queries the candidate had answered."""

from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.world.traffic import BLOCK_SECONDS, BLOCKS_PER_MINUTE

NEVER = np.inf


@dataclass(frozen=True, slots=True)
class RampOutcome:
    """Seconds from the candidate's first query, infinity for never; only the first of the two happened."""

    off: np.ndarray
    promoted: np.ndarray
    exposed: np.ndarray
    """Queries the candidate had answered when it was flagged off."""

    @classmethod
    def of(cls, off: np.ndarray, promoted: np.ndarray, trials: np.ndarray) -> "RampOutcome":
        """Keeps whichever came first; `trials` are queries per run and block."""
        first_off = np.where(off <= promoted, off, NEVER)
        first_promoted = np.where(promoted < off, promoted, NEVER)
        answered = np.cumsum(trials, axis=1)
        block = np.clip(np.where(np.isfinite(first_off), first_off, 0) / BLOCK_SECONDS, 1, trials.shape[1])
        exposed = answered[np.arange(len(trials)), block.astype(int) - 1]
        return cls(first_off, first_promoted, np.where(np.isfinite(first_off), exposed, np.nan))


def first_time(crossed: np.ndarray, seconds_per_column: float) -> np.ndarray:
    """End of the first true column, per row; infinity if there is none."""
    return np.where(crossed.any(axis=1), (crossed.argmax(axis=1) + 1) * seconds_per_column, NEVER)


SECONDS_PER_MINUTE = BLOCK_SECONDS * BLOCKS_PER_MINUTE
