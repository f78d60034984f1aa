"""The effects that a decision can have. Each is absolute and idempotent: doing one twice is doing it once."""

from dataclasses import dataclass

from pitwall_crds.host.printable import printable
from pitwall_crds.names import EventReason, Pool
from pitwall_operator.values.observation import Share


@dataclass(frozen=True, slots=True)
class RunVariant:
    """Keep this many replicas of one pool of a variant, of this revision."""

    variant: str
    revision: str
    pool: Pool
    replicas: int

    def __str__(self) -> str:
        return f"run {self.replicas} {self.pool} replica(s) of {self.variant}"


@dataclass(frozen=True, slots=True)
class DrainVariant:
    """Let one pool of a variant finish what it has, then stop it."""

    variant: str
    pool: Pool

    def __str__(self) -> str:
        return f"drain {self.variant} ({self.pool})"


@dataclass(frozen=True, slots=True)
class SetSplit:
    """Divide a flag's traffic. Shares sum to 10000, the candidate first; `candidate_fallback` is how many of stable's
    questions each pod of the candidate may answer at once while stable cannot."""

    flag: str
    shares: tuple[Share, ...]
    salt: str
    why: str
    candidate_fallback: int = 0

    def __str__(self) -> str:
        parts = ", ".join(f"{share.arm} {share.variant} {share.weight / 100:g}%" for share in self.shares)
        instead = f", candidate answers {self.candidate_fallback} a pod for stable" if self.candidate_fallback else ""
        return f"split {self.flag}: {parts}{instead}"


@dataclass(frozen=True, slots=True)
class SetShadow:
    """Copy a share of the stable's questions to a variant; percent 0 ends it. `flag` is the copies' own, `run` is what
    they count for; whose questions are copied is a draw of its own."""

    flag: str
    variant: str
    percent: int
    run: str
    why: str

    def __str__(self) -> str:
        return f"shadow {self.flag}: {self.percent}% to {self.variant or 'nobody'}"


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell people: a Kubernetes Event, or a line of the embedded event log. Whatever is quoted there is printable."""

    reason: EventReason
    message: str
    warning: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


Effect = RunVariant | DrainVariant | SetSplit | SetShadow | Announce


@dataclass(frozen=True, slots=True)
class EffectFailure:
    """An effect that could not be done now; the next turn sees the distance again and repeats it."""

    effect: Effect
    reason: str

    def __str__(self) -> str:
        return f"{self.effect}: {self.reason}"
