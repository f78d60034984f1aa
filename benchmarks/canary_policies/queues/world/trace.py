"""How a public trace of questions to language models comes in bursts, as numbers; and arrivals drawn from them.

The numbers are fitted by `fit.py` to Azure's LLM inference trace 2023 (one hour of two services, 28 185 questions;
github.com/Azure/AzurePublicDataset, CC-BY 4.0; Patel et al., "Splitwise", ISCA 2024). No row of it is kept here.
Gamma distributed gaps, as BurstGPT (arXiv 2401.17644) fits them, lose what matters: in the trace neighbouring gaps
depend on each other. So the intensity itself moves: a fast gamma factor times a slow lognormal one, both with a memory.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr

CELL_SECONDS = 1.0
"""The intensity is constant for so long."""


@dataclass(frozen=True, slots=True)
class Burstiness:
    """Squared coefficients of variation of the two factors, and the seconds after which they have forgotten 63 %."""

    fast_variance: float
    fast_seconds: float
    slow_variance: float
    slow_seconds: float


POISSON = Burstiness(0.0, 1.0, 0.0, 1.0)
CONVERSATION = Burstiness(0.021, 2.0, 0.047, 590.0)
"""Azure's conversation service: 19 366 questions, gamma shape of gaps in five minutes 0.90."""
CODING = Burstiness(4.3, 8.0, 0.08, 600.0)
"""Azure's coding service: 8 819 questions, gamma shape of gaps in five minutes 0.25, three of four seconds empty. How
long its slow factor lasts, one hour cannot tell."""


def intensity(burstiness: Burstiness, runs: int, cells: int, draw: np.random.Generator) -> np.ndarray:
    """(runs, cells) factors of the mean rate, with mean 1."""
    factors = np.ones((runs, cells))
    if burstiness.slow_variance:
        spread = np.log1p(burstiness.slow_variance)
        factors *= np.exp(np.sqrt(spread) * _memory(runs, cells, burstiness.slow_seconds, draw) - spread / 2)
    if burstiness.fast_variance:
        shape = 1 / burstiness.fast_variance
        scores = np.linspace(-6, 6, 2401)
        table = gammaincinv(shape, ndtr(scores)) / shape
        factors *= np.interp(_memory(runs, cells, burstiness.fast_seconds, draw), scores, table)
    return factors


def arrivals(
    burstiness: Burstiness, per_second: float, seconds: float, runs: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(run, second) of every question, in order of run and time."""
    cells = int(np.ceil(seconds / CELL_SECONDS))
    numbers = draw.poisson(intensity(burstiness, runs, cells, draw) * per_second * CELL_SECONDS)
    run = np.repeat(np.arange(runs), numbers.sum(axis=1))
    cell = np.repeat(np.tile(np.arange(cells), runs), numbers.ravel())
    at = (cell + draw.random(len(cell))) * CELL_SECONDS
    whole = np.sort(run * (seconds + 1) + at, kind="stable")
    return run, whole - run * (seconds + 1)


def _memory(runs: int, cells: int, seconds: float, draw: np.random.Generator) -> np.ndarray:
    """(runs, cells) standard normal numbers; the correlation of two falls exponentially with their distance."""
    from scipy.signal import lfilter

    keep = np.exp(-CELL_SECONDS / seconds)
    steps = draw.standard_normal((runs, cells))
    steps[:, 1:] *= np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], steps, axis=1)
