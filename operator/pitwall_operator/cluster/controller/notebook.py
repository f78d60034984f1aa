"""The record and the memory of a turn in a cluster: the flag service keeps the record, the Rollout its status."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_flags.client import FlagClient
from pitwall_operator.record.lines import Line
from pitwall_operator.values.effects import Announce


@dataclass(slots=True)
class Notebook:
    """Where a turn is written down: lines in the journal, the status by `store`; what it announces is kept."""

    flags: FlagClient
    store: Callable[[Rollout, RolloutStatus], Awaitable[None]]
    said: list[Announce] = field(default_factory=list)

    async def write_status(self, resource: Rollout, status: RolloutStatus) -> None:
        """Store the status. Raises OvertakenError."""
        await self.store(resource, status)

    async def append(self, rollout: Rollout, new: Sequence[Line]) -> None:
        """Add lines to the record."""
        if new:
            await self.flags.append_journal(rollout.metadata.namespace, rollout.metadata.name, new)

    def recorded(self, namespace: str, name: str) -> AsyncIterator[Mapping[str, Any]]:
        """A rollout's record, oldest line first."""
        return self.flags.read_journal(namespace, name)

    def announce(self, effect: Announce) -> None:
        """Keep an announcement."""
        self.said.append(effect)
