"""Questions with evidence, whatever they come from: made-up videos, annotation files, the film of the examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from benchmarks.evidence.videos import AskedVideo

from pitwall_runtime.media import Shot
from pitwall_runtime.samplers.contract import SamplerContext
from pitwall_runtime.samplers.offline import offline_context

Interval = tuple[float, float]
LENGTHS = ("≤ 10 min", "≤ 1 h", "> 1 h")


@dataclass(frozen=True, slots=True)
class EvidenceCase:
    """A question on a video of N frames: relevance [N], unit embeddings [N, D] or None, times [N], shots, evidence.

    Moments of evidence are [start, end) in seconds. `group` and `length` are the strata that it belongs to.
    """

    name: str
    relevance: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32] | None
    seconds: npt.NDArray[np.float64]
    shots: tuple[Shot, ...]
    evidence: tuple[Interval, ...]
    length: str
    layout: str = ""

    @property
    def moments(self) -> str:
        """How many moments answer it, as a stratum."""
        return "≥ 3" if len(self.evidence) > 2 else str(len(self.evidence))

    def context(self, budget: int, seed: int) -> SamplerContext:
        """What a sampler is given."""
        return offline_context(
            self.relevance,
            budget,
            embeddings=self.embeddings,
            pts_seconds=self.seconds,
            shots=self.shots,
            question=self.name,
            seed=seed,
        )

    def recall(self, indices: tuple[int, ...]) -> float:
        """Share of the moments of which at least one frame was chosen."""
        times = self.seconds[list(indices)]
        return float(np.mean([((times >= start) & (times < end)).any() for start, end in self.evidence]))


def made_up(videos: Iterator[AskedVideo]) -> Iterator[EvidenceCase]:
    """The generator's videos as cases."""
    for number, video in enumerate(videos):
        edges = video.shot_edges.tolist()
        yield EvidenceCase(
            name=f"made up {number}",
            relevance=video.relevance,
            embeddings=video.embeddings,
            seconds=np.arange(len(video.relevance), dtype=np.float64),
            shots=tuple(Shot(start, end) for start, end in pairwise(edges)),
            evidence=video.evidence,
            length=length_of(video.length_seconds),
            layout=video.layout,
        )


def length_of(seconds: float) -> str:
    """The stratum of a video's length."""
    return LENGTHS[0 if seconds <= 660 else 1 if seconds <= 3660 else 2]
