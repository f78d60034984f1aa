"""The boundary between null and alternative hypothesis: a straight line in the (control rate, candidate rate) plane."""

from dataclasses import dataclass
from enum import StrEnum
from math import log, sqrt

TINY = 1e-12
BISECTIONS = 60


class Claim(StrEnum):
    """What a process tries to prove, i.e. on which side of the boundary its null hypothesis is *not*."""

    HARM = "harm"
    NON_INFERIOR = "non-inferior"


@dataclass(frozen=True, slots=True)
class NullBoundary:
    """candidate = ratio · control + offset. Either the ratio is 1 or the offset is 0; neither is below that."""

    ratio: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.ratio < 1 or self.offset < 0 or (self.ratio > 1 and self.offset > 0):
            raise ValueError(f"a boundary needs ratio >= 1 with offset 0, or ratio 1 with offset >= 0, got {self}")

    def height(self, control: float) -> float:
        """The candidate's value on the boundary above a control's value."""
        return self.ratio * control + self.offset

    def is_proven_side(self, claim: Claim, control: float, candidate: float) -> bool:
        """Whether a point lies strictly where the claim is true."""
        height = self.height(control)
        return candidate > height if claim is Claim.HARM else candidate < height

    def project(self, trials: tuple[int, int], control: float, candidate: float) -> tuple[float, float]:
        """The point of the boundary that is nearest by KL divergence, weighted by (control, candidate) trials. Neither
        of its rates is 1: of very unequal numbers of trials the nearest point lies closer to that than can be told."""
        nearest = self._nearest_by_ratio if self.offset == 0 else self._nearest_by_difference
        base = nearest(trials, control, candidate)
        return base, min(self.height(base), 1 - TINY)

    def _nearest_by_ratio(self, trials: tuple[int, int], control: float, candidate: float) -> float:
        """Smaller root of ρ(na+nb)θ² − [na(1+ρa) + nb(ρ+b)]θ + (na·a + nb·b) = 0, where the derivative of KL is 0."""
        n_a, n_b = trials
        square = self.ratio * (n_a + n_b)
        linear = n_a * (1 + self.ratio * control) + n_b * (self.ratio + candidate)
        constant = n_a * control + n_b * candidate
        return 2 * constant / (linear + sqrt(max(linear * linear - 4 * square * constant, 0.0)))

    def _nearest_by_difference(self, trials: tuple[int, int], control: float, candidate: float) -> float:
        """Root of the derivative of KL along the boundary, by bisection; KL is convex, so that is monotone."""
        n_a, n_b = trials
        low = min(max(min(control, candidate - self.offset), TINY), 1 - self.offset - TINY)
        high = min(max(control, candidate - self.offset, TINY), 1 - self.offset - TINY)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            above = middle + self.offset
            slope = n_a * (control - middle) / (middle * (1 - middle)) + n_b * (candidate - above) / (
                above * (1 - above)
            )
            low, high = (middle, high) if slope > 0 else (low, middle)
        return (low + high) / 2


def log_likelihood_ratio(trials: int, bad: int, alternative: float, null: float) -> float:
    """ln of P(bad events | alternative rate) / P(bad events | null rate)."""
    good = trials - bad
    events = bad * log(alternative / null) if bad else 0.0
    return events + (good * log((1 - alternative) / (1 - null)) if good else 0.0)
