"""A gate's processes for many runs at once, for arms of unequal sizes and at several edges.

Twins of LabelSwapProcess, MeanProcess, BothProcess, AtEdge and Carried. Where the operator averages a bet over all
draws of the larger arm's subsample, these draw one: as fair, and hardly weaker. They are held equal to the operator's
in `tests/operator/evidence/benchmark/test_queues.py` where nothing is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.policies.vectors import PortfolioVector
from scipy.special import logsumexp, stdtr

from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.clusters import LOOKS, SECOND_LOOK
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


class UsersVector:
    """Twin of UsersProcess. `told` is what gateways say at the moment: (control and candidate, numbers of UserSpread,
    edges, runs)."""

    def __init__(self, process, boundary: NullBoundary, claim: Claim = Claim.HARM) -> None:
        self.process, self.boundary, self.claim = process, boundary, claim
        self.told: np.ndarray | None = None
        self.known: np.ndarray | None = None
        self.since: list[ArmsBlock] | None = None

    @property
    def log_e(self) -> np.ndarray:
        """Per run."""
        return np.minimum(self.process.log_e, self.log_users())

    def update(self, blocks: Sequence[ArmsBlock]) -> None:
        """One block at every edge."""
        self.process.update(blocks)
        grown = blocks if self.since is None else [a + b for a, b in zip(self.since, blocks, strict=True)]
        goes_on = (self.process.log_e > 0) | (self.claim is Claim.NON_INFERIOR)
        self.since = [block.masked(goes_on) for block in grown]
        if self.told is not None:
            told = np.nan_to_num(self.told)
            known = told if self.known is None else self.known
            self.known = np.where(told[:, :1] >= known[:, :1], told, known)

    def log_users(self) -> np.ndarray:
        """ln(1 / p), infinite where nothing is known."""
        if self.known is None or self.since is None:
            return np.full(self.process.log_e.shape, np.inf)
        own = len(self.since) - 1
        looked_at = range(own + 1) if self.claim is Claim.HARM else (own,)
        parts = [self._best(self.since[at], self.known[:, :, at]) for at in looked_at]
        is_known = self.known[:, 0].max(axis=0)[list(looked_at)] > 0
        best = np.where(is_known, parts, -np.inf).max(axis=0) - np.log(LOOKS[self.claim] * len(parts))
        return np.where(is_known.any(axis=0), best, np.inf)

    def _best(self, block: ArmsBlock, spreads: np.ndarray) -> np.ndarray:
        """All users, or for harm most of them where both arms tell."""
        of_all = self._log_p(block, spreads)
        if self.claim is not Claim.HARM:
            return of_all
        of_most = self._log_p_of_most(block, spreads) - np.log(SECOND_LOOK)
        return np.where((spreads[:, 5] > 0).all(axis=0), np.maximum(of_all, of_most), of_all)

    def _log_p_of_most(self, block: ArmsBlock, spreads: np.ndarray) -> np.ndarray:
        arms = block.control, block.candidate
        of_most = np.stack([spreads[:, 0], spreads[:, 1], spreads[:, 5], spreads[:, 3]], axis=1)
        with np.errstate(all="ignore"):
            control, candidate = (arm[1] / arm[0] for arm in arms)
            of_all = candidate - self.boundary.height(control)
            distance = candidate + spreads[1, 4] - self.boundary.height(control + spreads[0, 4])
            distance = np.minimum(of_all, distance)  # who is left out may be gone
            of_arms = (_variance(arm, spread, arm[0]) for arm, spread in zip(arms, of_most, strict=True))
            variance = sum(square * each for square, each in zip((self.boundary.ratio**2, 1), of_arms, strict=True))
            users = np.maximum(spreads[:, 3].min(axis=0) - 2, 2)
            surprise = -np.log(stdtr(np.maximum(users - 1, 1), -distance / np.sqrt(variance)))
        return np.where(distance > 0, surprise, 0.0)

    def _log_p(self, block: ArmsBlock, spreads: np.ndarray) -> np.ndarray:
        control, candidate = (
            np.where(arm[0] > 0, arm, other) for arm, other in zip(spreads, spreads[::-1], strict=True)
        )
        reference = block.control[0] + block.stable[0], block.control[1] + block.stable[1]
        with np.errstate(all="ignore"):
            worse = block.candidate[1] / block.candidate[0] - self.boundary.height(reference[1] / reference[0])
            distance = worse if self.claim is Claim.HARM else -worse
            variance = _variance(block.candidate, candidate, block.candidate[0])
            variance = variance + self.boundary.ratio**2 * _variance(reference, control, block.control[0])
            users = np.minimum(candidate[3], control[3] * reference[0] / block.control[0])
            surprise = -np.log(stdtr(np.maximum(users - 1, 1), -distance / np.sqrt(variance)))
        return np.where(distance > 0, surprise, 0.0)


def _variance(tally: tuple[np.ndarray, np.ndarray], spread: np.ndarray, trials: np.ndarray) -> np.ndarray:
    rate = tally[1] / tally[0]
    design = 1 + (spread[2] - 1) * np.maximum(1, trials / spread[0])
    return design * np.maximum(spread[1], rate * (1 - rate)) / tally[0]


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
