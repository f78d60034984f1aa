"""Recall of every sampler on every case, and paired intervals of what separates the default from each of the others."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from benchmarks.evidence.cases import LENGTHS, EvidenceCase

from pitwall_crds.variant.builtin import DEFAULT_SAMPLER
from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build

BUDGETS = (8, 16, 32, 64)
SAMPLERS = (
    *("quota", "uniform", "shot-uniform", "topk", "aks", "bolt", "focus", "qframe"),
    *("mmr", "dpp", "adard", "mdp3", "gift", "qca", "wfs-sb"),
)
"""Those that need neither a model nor key frames; the others choose as one of these without them."""

DEFAULT = DEFAULT_SAMPLER
CONFIDENCE = 0.95

Recalls = npt.NDArray[np.float64]
"""[cases, samplers, budgets]."""


@dataclass(frozen=True, slots=True)
class RecallRow:
    """A sampler in a stratum: its mean recall, and the default's less its own with an interval.

    The interval of a pair holds together with those of the stratum's other samplers in 95 of 100 repetitions.
    """

    stratum: str
    moments: str
    length: str
    layout: str
    budget: int
    sampler: str
    cases: int
    recall: float
    default_minus: float
    low: float
    high: float

    @property
    def is_ahead(self) -> bool:
        """Whether the default is behind this one by more than noise."""
        return self.high < 0


def recalls(cases: Iterable[EvidenceCase], samplers: Sequence[str] = SAMPLERS) -> tuple[list[EvidenceCase], Recalls]:
    """Every sampler at every budget on every case."""
    bound = [build(SamplerSpec(name=name)) for name in samplers]
    seen, found = [], []
    for seed, case in enumerate(cases):
        seen.append(case)
        chosen = [[one.choose(case.context(budget, seed)) for budget in BUDGETS] for one in bound]
        found.append([[case.recall(selection.indices) for selection in row] for row in chosen])
    return seen, np.array(found)


def rows(cases: Sequence[EvidenceCase], found: Recalls, samplers: Sequence[str] = SAMPLERS) -> Iterator[RecallRow]:
    """All strata: everything, each number of moments, length and layout, and moments with length."""
    for stratum, keys in _strata(cases).items():
        inside = np.array([all(getattr(case, key) == value for key, value in keys.items()) for case in cases])
        for column, budget in enumerate(BUDGETS):
            yield from _rows(stratum, keys, budget, found[inside, :, column], samplers)


def _strata(cases: Sequence[EvidenceCase]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"all": {}}
    for key, noun in (("moments", "moments: "), ("length", ""), ("layout", "layout: ")):
        values = {getattr(case, key) for case in cases} - {""}
        for value in sorted(values, key=lambda one: (LENGTHS.index(one) if one in LENGTHS else 0, one)):
            found[f"{noun}{value}"] = {key: value}
    pairs = {(case.moments, case.length) for case in cases}
    for moments, length in sorted(pairs, key=lambda pair: (pair[0], LENGTHS.index(pair[1]))):
        found[f"moments: {moments}, {length}"] = {"moments": moments, "length": length}
    return found


def _rows(
    stratum: str, keys: dict[str, str], budget: int, found: npt.NDArray[np.float64], samplers: Sequence[str]
) -> Iterator[RecallRow]:
    default = found[:, samplers.index(DEFAULT)]
    # Bonferroni: as many pairs as other samplers.
    deviations = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2 / max(1, len(samplers) - 1))
    for column, sampler in enumerate(samplers):
        difference = default - found[:, column]
        half = deviations * float(difference.std(ddof=1)) / np.sqrt(len(difference)) if len(difference) > 1 else np.inf
        middle = float(difference.mean())
        yield RecallRow(
            stratum=stratum,
            moments=keys.get("moments", ""),
            length=keys.get("length", ""),
            layout=keys.get("layout", ""),
            budget=budget,
            sampler=sampler,
            cases=len(difference),
            recall=round(float(found[:, column].mean()), 4),
            default_minus=round(middle, 4),
            low=round(middle - half, 4) if np.isfinite(half) else -1.0,
            high=round(middle + half, 4) if np.isfinite(half) else 1.0,
        )
