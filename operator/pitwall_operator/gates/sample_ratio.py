"""Watches whether every gateway splits users as the flag says, and names the likely causes if one does not.

Its error budget is its own (1 in 1000 rollouts), since it never flags off: it says that nothing can be concluded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any, Self

from pitwall_operator.evidence.basis.process import State, decimals, texts
from pitwall_operator.evidence.mismatch import MismatchProcess

ALPHA = 0.001
GATEWAYS = 32
"""How many gateways are counted per split; the ninth already has less than a fiftieth of α."""
CAUSES = (
    "a gateway that follows an old split or cannot reach the flag service, another writer of the flag, or users of one "
    "arm that are lost before they are counted"
)


def log_threshold(stages: int, rank: int) -> float:
    """ln(1 / α) of the gateway that appeared as the rank-th (from 1). Every stage has the same part; within a stage
    gateways have 1/2, 1/6, 1/12, …, so α is spent once, however many gateways there are or how often one restarts."""
    return -log(ALPHA / stages / (rank * (rank + 1)))


@dataclass(frozen=True, slots=True)
class UsersBlock:
    """New users of one block by gateway, each in the order of `arms`, whose shares add up to 1.

    Attributes:
        split: the split that is in force.
        stages: how many stages the rollout has.
        astray: users by gateway that met another split although this one has long been in force.
    """

    split: str
    stages: int
    arms: tuple[str, ...]
    shares: tuple[float, ...]
    users: tuple[tuple[str, tuple[int, ...]], ...]
    astray: tuple[tuple[str, int], ...] = ()

    def to_state(self) -> State:
        """This block as JSON."""
        return {
            "split": self.split,
            "stages": self.stages,
            "arms": list(self.arms),
            "shares": list(self.shares),
            "users": [[name, list(users)] for name, users in self.users],
            "astray": [list(row) for row in self.astray],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The block as `to_state` left it."""
        users = tuple((name, tuple(counts)) for name, counts in state["users"])
        astray = tuple((name, count) for name, count in state["astray"])
        return cls(state["split"], state["stages"], tuple(state["arms"]), tuple(state["shares"]), users, astray)


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Evidence against one split, a process for each gateway: each counts its own users once, and one user may ask
    several. Another split starts anew, since users are counted anew. Users astray need no statistics."""

    split: str = ""
    stages: int = 1
    arms: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    gateways: tuple[tuple[str, MismatchProcess], ...] = ()
    astray: tuple[tuple[str, int], ...] = ()

    def update(self, block: UsersBlock) -> Self:
        """The evidence after one more block."""
        same = block.split == self.split
        known = dict(self.gateways) if same else {}
        for name, users in block.users:
            if name in known or len(known) < GATEWAYS:
                known[name] = known.get(name, MismatchProcess(block.shares)).update(users)
        return replace(
            self,
            split=block.split,
            stages=block.stages,
            arms=block.arms,
            shares=block.shares,
            gateways=tuple(known.items()),
            astray=block.astray,
        )

    @property
    def users(self) -> tuple[int, ...]:
        """Users by arm over all gateways; who asks several counts several times."""
        columns = [process.users for _, process in self.gateways if process.users]
        return tuple(sum(column) for column in zip(*columns, strict=True)) or (0,) * len(self.arms)

    def told(self) -> list[list[str]]:
        """Per gateway, as the record has it: its name, the evidence, and from where on it is proof; logarithms."""
        return [
            [name, repr(process.log_e), repr(log_threshold(self.stages, rank))]
            for rank, (name, process) in enumerate(self.gateways, start=1)
        ]

    def mismatch(self) -> str:
        """Why nothing can be concluded from this split, naming the likely causes; empty if users fit the weights."""
        for name, count in self.astray:
            if count:
                return f"{name} gave {count} new users an arm by another split: it does not follow the flag service"
        for rank, (name, process) in enumerate(self.gateways, start=1):
            if process.peak_log_e >= log_threshold(self.stages, rank):
                return (
                    f"users are not split as the flag says: {self._shown(process.users)} at {name}; look for {CAUSES}"
                )
        return ""

    def standing(self) -> str:
        """How many users were counted, in words."""
        return f"users are split as the flag says: {self._shown(self.users)}"

    def _shown(self, users: Sequence[int]) -> str:
        total = max(sum(users), 1)
        rows = zip(self.arms, users, self.shares, strict=True)
        parts = (f"{arm} {100 * count / total:.2f}% for {100 * share:g}%" for arm, count, share in rows)
        return f"{', '.join(parts)} ({sum(users)} users)"

    def to_state(self) -> State:
        """The numbers that the Rollout's status keeps."""
        return {
            "split": self.split,
            "stages": self.stages,
            "arms": list(self.arms),
            "shares": texts(self.shares),
            "gateways": [{"name": name, **process.to_state()} for name, process in self.gateways],
            "astray": [list(row) for row in self.astray],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The evidence as `to_state` left it; nothing of nothing."""
        if not state:
            return cls()
        shares = decimals(state["shares"])
        gateways = ((known["name"], MismatchProcess(shares).restored(known)) for known in state["gateways"])
        astray = tuple((name, count) for name, count in state["astray"])
        return cls(state["split"], state["stages"], tuple(state["arms"]), shares, tuple(gateways), astray)


UNCOUNTED = SampleRatio()
