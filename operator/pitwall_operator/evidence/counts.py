"""The counts that the tests need (sufficient statistics): what one gate saw in one block, or in all blocks together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """One arm: trials, how many of them were bad, and the sum of their values (for gates on means)."""

    trials: int = 0
    bad: int = 0
    total: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.trials:
            raise ValueError(f"a tally needs 0 <= bad <= trials, got bad={self.bad} and trials={self.trials}")

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.trials + other.trials, self.bad + other.bad, self.total + other.total)

    @property
    def rate(self) -> float:
        """Bad trials per trial; 0 if there is none."""
        return self.bad / self.trials if self.trials else 0.0

    @property
    def mean(self) -> float:
        """Value per trial; 0 if there is none."""
        return self.total / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same query answered by both: how often the candidate was worse, or better, by the margin."""

    total: int = 0
    worse: int = 0
    better: int = 0

    def __post_init__(self) -> None:
        if min(self.worse, self.better) < 0 or self.worse + self.better > self.total:
            raise ValueError(f"pairs need 0 <= worse + better <= total, got {self.worse} + {self.better}, {self.total}")

    def __add__(self, other: "Pairs") -> "Pairs":
        return Pairs(self.total + other.total, self.worse + other.worse, self.better + other.better)


@dataclass(frozen=True, slots=True)
class Counts:
    """One gate's observations: both arms of the split, and the pairs of the shadow.

    Attributes:
        stable: the stable sampler's other users, judged like the control, which is the same sampler.
        objective: the candidate's trials, bad where they miss the gate's absolute objective.
        shared: whether nothing but chance tells control and stable apart: they answer from the same pods, or what is
            counted does not depend on pods.
    """

    control: Tally = Tally()
    candidate: Tally = Tally()
    pairs: Pairs = Pairs()
    stable: Tally = Tally()
    objective: Tally = Tally()
    shared: bool = False

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.control + other.control,
            self.candidate + other.candidate,
            self.pairs + other.pairs,
            self.stable + other.stable,
            self.objective + other.objective,
            self.shared or other.shared,
        )

    @property
    def reference(self) -> Tally:
        """What single trials of the candidate are compared with: the control, and all of stable where that is alike.
        Never what whole blocks are compared with: those need an arm of equal size."""
        return self.control + self.stable if self.shared else self.control


NO_TRIALS = Tally()
NO_PAIRS = Pairs()
NOTHING = Counts()
