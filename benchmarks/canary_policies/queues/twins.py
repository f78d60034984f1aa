"""A gate's processes for many runs at once, for arms of unequal sizes and at several edges.

Twins of LabelSwapProcess, MeanProcess, BothProcess, AtEdge and Carried. Where the operator averages a bet over all
draws of the larger arm's subsample, these draw one: as fair, and hardly weaker. They are held equal to the operator's
in `tests/operator/evidence/test_queues.py` where nothing is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.vectors import PortfolioVector
from scipy.special import logsumexp

from pitwall_operator.evidence.label_swap import LARGEST_STAKE, SIGN_STAKES, SIZE_STAKES, TILT_ODDS


@dataclass(frozen=True, slots=True)
class ArmsBlock:
    """One block of every run, at one edge: trials and bad ones; stable's are nothing where it is not alike."""

    control: tuple[np.ndarray, np.ndarray]
    candidate: tuple[np.ndarray, np.ndarray]
    stable: tuple[np.ndarray, np.ndarray]

    def masked(self, which: np.ndarray) -> "ArmsBlock":
        """Nothing in the other runs."""
        return ArmsBlock(*(tuple(np.where(which, part, 0) for part in arm) for arm in self.arms()))

    def arms(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Control, candidate and stable."""
        return self.control, self.candidate, self.stable

    def __add__(self, other: "ArmsBlock") -> "ArmsBlock":
        pairs = zip(self.arms(), other.arms(), strict=True)
        return ArmsBlock(*((one[0] + two[0], one[1] + two[1]) for one, two in pairs))


class SwapVector:
    """Twin of LabelSwapProcess."""

    def __init__(self, ratio: float, runs: int, draw: np.random.Generator) -> None:
        self.ratio, self.draw = ratio, draw
        self.bets = PortfolioVector(len(TILT_ODDS) + len(SIGN_STAKES) + len(SIZE_STAKES), runs, spread=True)
        self.largest = np.zeros(runs, int)
        self.tilts = np.log(TILT_ODDS)[:, None] / 2

    @property
    def log_e(self) -> np.ndarray:
        """Per run."""
        return self.bets.log_e

    def update(self, block: ArmsBlock) -> None:
        """One block."""
        (n_a, bad_a), (n_b, bad_b) = block.control, block.candidate
        size = np.minimum(n_a, n_b)
        active = (size > 0) & (bad_a + bad_b > 0)
        kept = self._sampled(n_b, bad_b, size)
        if self.ratio > 1:
            kept = self.draw.binomial(kept, 1 / self.ratio)
        difference = kept - self._sampled(n_a, bad_a, size)
        tilts = LARGEST_STAKE * np.tanh(self.tilts * difference)
        signs = np.array(SIGN_STAKES)[:, None] * np.sign(difference)
        sized = np.clip(difference / np.maximum(self.largest, 1), -1, 1) * (self.largest > 0)
        sizes = np.array(SIZE_STAKES)[:, None] * sized
        self.bets.after(np.log1p(np.concatenate([tilts, signs, sizes])), active)
        self.largest = np.where(active, np.maximum(self.largest, np.abs(difference)), self.largest)

    def _sampled(self, trials: np.ndarray, bad: np.ndarray, size: np.ndarray) -> np.ndarray:
        whole = size == trials
        drawn = self.draw.hypergeometric(bad, trials - bad, size)
        return np.where(whole, bad, drawn)


class TrialsVector:
    """A process about single trials, which compares with all of stable where that is alike."""

    def __init__(self, process) -> None:
        self.process = process

    @property
    def log_e(self) -> np.ndarray:
        """Per run."""
        return self.process.log_e

    def update(self, block: ArmsBlock) -> None:
        """One block."""
        reference = block.control[0] + block.stable[0], block.control[1] + block.stable[1]
        self.process.update(block.candidate[0], reference[1], block.candidate[1], reference[0])


class OwnEdgeVector:
    """A process of blocks that looks at the gate's own edge alone, and never at stable."""

    def __init__(self, process) -> None:
        self.process = process

    @property
    def log_e(self) -> np.ndarray:
        """Per run."""
        return self.process.log_e

    def update(self, blocks: Sequence[ArmsBlock]) -> None:
        """One block at every edge."""
        own = blocks[-1]
        self.process.update(own.candidate[0], own.control[1], own.candidate[1], own.control[0])


class MeanVector:
    """Twin of MeanProcess over edges: part i sees edge i."""

    def __init__(self, parts: Sequence) -> None:
        self.parts = tuple(parts)

    @property
    def log_e(self) -> np.ndarray:
        """Per run."""
        return logsumexp([part.log_e for part in self.parts], axis=0) - np.log(len(self.parts))

    def update(self, blocks: Sequence[ArmsBlock]) -> None:
        """One block at every edge."""
        for part, block in zip(self.parts, blocks, strict=True):
            part.update(block)


class CarriedVector:
    """Twin of Carried: the last edge is the gate's own, whose trials say when a block is whole."""

    def __init__(self, process, least: int) -> None:
        self.process, self.least = process, least
        self.waiting: list[ArmsBlock] | None = None

    @property
    def log_e(self) -> np.ndarray:
        """Per run."""
        return self.process.log_e

    def update(self, blocks: Sequence[ArmsBlock]) -> None:
        """One block at every edge."""
        held = list(blocks) if self.waiting is None else [a + b for a, b in zip(self.waiting, blocks, strict=True)]
        own = held[-1]
        whole = np.minimum(own.control[0], own.candidate[0]) >= self.least
        self.process.update([block.masked(whole) for block in held])
        self.waiting = [block.masked(~whole) for block in held]
