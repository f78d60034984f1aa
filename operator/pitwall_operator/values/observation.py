"""What was observed of flags, pools and counters at one moment, or why it could not be: the input of a decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pitwall_crds.names import Arm, Label, Pool


@dataclass(frozen=True, slots=True)
class Unseen:
    """Could not look, and why. Never good and never bad."""

    reason: str


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """One pool: how many replicas run, how many of them answer, and which revision they run."""

    revision: str
    desired: int
    ready: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class VariantSeen:
    """A SamplerVariant as it is declared now, and its pools."""

    revision: str
    full_replicas: int
    pools: Mapping[Pool, PoolSeen] = field(default_factory=dict)
    invalid: str = ""

    def ready(self, pool: Pool) -> int:
        """Replicas of this pool that answer."""
        return self.pools[pool].ready if pool in self.pools else 0


@dataclass(frozen=True, slots=True)
class Share:
    """One arm's part of the traffic, in basis points."""

    arm: Arm
    variant: str
    weight: int


@dataclass(frozen=True, slots=True)
class SplitSeen:
    """The traffic flag as the flag service holds it; no shares if it does not exist yet."""

    shares: tuple[Share, ...] = ()
    salt: str = ""
    killed: str = ""


@dataclass(frozen=True, slots=True)
class ShadowSeen:
    """The shadow flag: which variant gets copies, and how many percent."""

    variant: str = ""
    percent: int = 0


@dataclass(frozen=True, slots=True)
class ProcessCounters:
    """One process's cumulative counters: by sample name, each labelled value. `start_time` is epoch seconds."""

    start_time: float
    samples: Mapping[str, Sequence[tuple[Mapping[str, str], float]]]

    def counts_evidence(self, run: str) -> bool:
        """Whether the process counts what gates weigh of this run, as gateways do."""
        return any(labels.get(Label.RUN) == run for series in self.samples.values() for labels, _ in series)


@dataclass(frozen=True, slots=True)
class Reading:
    """Raw counters of every process at one time (epoch seconds), by source identity."""

    time: float
    sources: Mapping[str, ProcessCounters]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How long a run will take and whom a bad candidate would reach, in sentences, by the traffic when it began."""

    run: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a decision may depend on besides spec and status.

    Attributes:
        now: epoch seconds.
        variants: declared variants, and pools that nobody else claims, by name.
        split: the traffic flag.
        shadow: the flag of the candidate's copies.
        reading: raw counters.
        experiments: the flags of further variants' copies, by variant.
        refused: why this rollout may not move anything at all; empty if it may.
        plan: the run's plan, once it is made.
    """

    now: float
    variants: Mapping[str, VariantSeen]
    split: SplitSeen | Unseen
    shadow: ShadowSeen | Unseen
    reading: Reading | Unseen
    experiments: Mapping[str, ShadowSeen] | Unseen = field(default_factory=dict)
    refused: str = ""
    plan: RunPlan | None = None
