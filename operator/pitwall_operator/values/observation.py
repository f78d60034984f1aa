"""What was observed of flags, pools and counters at one moment, or why it could not be: the input of a decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from pitwall_crds.names import Arm, Label, Pool
from pitwall_crds.rollout.status import FlaggedOff


@dataclass(frozen=True, slots=True)
class Unseen:
    """Could not look, and why. Never good and never bad."""

    reason: str


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """One pool: how many replicas run, how many of them answer, and which revision they run.

    Attributes:
        trouble: why not all of them answer, in words.
        refusal: what the platform says where it refuses to make some of them, such as a quota's words.
        fault: what befell those that do not answer by no fault of their own; empty where they have themselves to blame.
        applied: the revision that it was given last, where somebody changed it since, so that `revision` is empty.
    """

    revision: str
    desired: int
    ready: int
    trouble: str = ""
    refusal: str = ""
    fault: str = ""
    applied: str = ""


@dataclass(frozen=True, slots=True)
class ScaleBounds:
    """How many pods an autoscaler may ask for."""

    least: int
    most: int

    def held(self, replicas: int) -> int:
        """So many, within the bounds."""
        return max(self.least, min(replicas, self.most))


@dataclass(frozen=True, slots=True)
class VariantSeen:
    """A SamplerVariant as it is declared now, and its pools."""

    revision: str
    full_replicas: int
    pools: Mapping[Pool, PoolSeen] = field(default_factory=dict)
    invalid: str = ""
    scaling: ScaleBounds | None = None

    def ready(self, pool: Pool) -> int:
        """Replicas of this pool that answer."""
        return self.pools[pool].ready if pool in self.pools else 0

    @property
    def serving_revision(self) -> str:
        """What its users get: what its pods were given last; what is declared where it has no pods, and empty where
        nobody knows what they were given."""
        main = self.pools.get(Pool.MAIN)
        return (main.revision or main.applied) if main else self.revision


@dataclass(frozen=True, slots=True)
class Share:
    """One arm's part of the traffic, in basis points."""

    arm: Arm
    variant: str
    weight: int


@dataclass(frozen=True, slots=True)
class SplitSeen:
    """The traffic flag as the flag service holds it; no shares if it does not exist yet.

    Attributes:
        salt: of the draw; the run's id while a run has candidate and control.
        killed: which version of the flag is killed; empty if it is not.
        killed_run: the salt that was in force when the flag was last killed, also after its release.
        candidate_fallback: how many of stable's questions a pod of the candidate may answer while stable cannot.
        owner: namespace and name of the Rollout that the flag remembers, as `namespace/name`; empty if it does none.
    """

    shares: tuple[Share, ...] = ()
    salt: str = ""
    killed: str = ""
    killed_run: str = ""
    candidate_fallback: int = 0
    owner: str = ""

    @property
    def default(self) -> str:
        """The variant that everybody gets while the flag is killed: stable's."""
        return next((share.variant for share in self.shares if share.arm is Arm.STABLE), "")


@dataclass(frozen=True, slots=True)
class ShadowSeen:
    """The shadow flag: which variant gets copies, how many percent, and for which run."""

    variant: str = ""
    percent: int = 0
    salt: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Past:
    """What the decision record tells of a rollout whose status tells nothing: it was made anew.

    Attributes:
        flagged_off: variants that were taken off and not tried again since.
        last_run: the id of its last run; empty if it had none.
        action_ids: ids of the last requests that were carried out.
        under_way: what is off if the last run was killed; None where it is told how that ended.
    """

    flagged_off: tuple[FlaggedOff, ...] = ()
    last_run: str = ""
    action_ids: tuple[str, ...] = ()
    under_way: FlaggedOff | None = None


Sample = tuple[Mapping[str, str], float]
"""One value, and its labels."""
_Index = dict[tuple[str, tuple[str, ...]], dict[str | tuple[str, ...], list[Sample]]]


@dataclass(frozen=True, slots=True)
class ProcessCounters:
    """One process's cumulative counters: by sample name, each labelled value. `start_time` is epoch seconds."""

    start_time: float
    samples: Mapping[str, Sequence[Sample]]
    _index: _Index = field(default_factory=dict, init=False, repr=False, compare=False)

    def having(self, name: str, labels: Mapping[str, str]) -> Sequence[Sample]:
        """Samples of one name whose labels include the given ones. A decision asks so for hundreds of them, most by the
        same labels: they are put in order once for each set of labels that is asked by."""
        if not labels:
            return self.samples.get(name, ())
        names = tuple(sorted(labels))
        known, values_of = self._index.get((name, names)), itemgetter(*names)
        if known is None:
            known = self._index[name, names] = {}
            for sample in self.samples.get(name, ()):
                try:
                    values = values_of(sample[0])
                except KeyError:
                    continue
                known.setdefault(values, []).append(sample)
        return known.get(values_of(labels), ())

    def counts_evidence(self, run: str) -> bool:
        """Whether the process counts what gates weigh of this run, as gateways do."""
        return any(labels.get(Label.RUN) == run for series in self.samples.values() for labels, _ in series)


@dataclass(frozen=True, slots=True)
class Reading:
    """Raw counters of every process at one time (epoch seconds), by source identity; `down` are the gateways that are
    there and cannot be read now, as `namespace/pod`."""

    time: float
    sources: Mapping[str, ProcessCounters]
    down: frozenset[str] = frozenset()


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
        past: what the record tells of a rollout that was made anew.
        failures: what could not be done in the turn before, in the words of whoever refused it.
        nonce: chance for what must not be guessed: the salt of a run that begins.
        elsewhere: variants to which other flags of the namespace send anybody, and by which flag.
    """

    now: float
    variants: Mapping[str, VariantSeen]
    split: SplitSeen | Unseen
    shadow: ShadowSeen | Unseen
    reading: Reading | Unseen
    experiments: Mapping[str, ShadowSeen] | Unseen = field(default_factory=dict)
    refused: str = ""
    plan: RunPlan | None = None
    past: Past | Unseen = field(default_factory=Past)
    failures: tuple[str, ...] = ()
    nonce: str = ""
    elsewhere: Mapping[str, str] | Unseen = field(default_factory=dict)
