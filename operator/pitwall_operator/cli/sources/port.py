"""The interface between the commands and where resources are: a cluster or the embedded mode's folder."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.machine.resources import Applied
from pitwall_operator.machine.stored import Resource

if TYPE_CHECKING:
    from pitwall_operator.record.lines import Line
    from pitwall_operator.values.observation import Reading, Unseen

Edit = Callable[[Rollout], Mapping[str, Any]]
"""From the present Rollout, the fields of its spec that shall change, as YAML spells them. May raise CommandError."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One process that answers questions, or should."""

    name: str
    ready: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PoolView:
    """One pool of a variant: how many of its pods answer."""

    namespace: str
    variant: str
    pool: str
    revision: str
    ready: int
    desired: int
    pods: tuple[Pod, ...] = ()


class ResourceSource(Protocol):
    """Where resources live, and how a person's word reaches them. Every method may raise CommandError."""

    @property
    def place(self) -> str:
        """What this is, for messages: `namespace video-qa`."""

    @property
    def record_is_near(self) -> bool:
        """Whether reading the decision record costs nothing worth mentioning."""

    def rollouts(self, *, everywhere: bool = False) -> tuple[Rollout, ...]:
        """The Rollouts of the chosen namespace, or of all."""

    def variants(self, *, everywhere: bool = False) -> tuple[SamplerVariant, ...]:
        """The SamplerVariants of the chosen namespace, or of all."""

    def pools(self, *, everywhere: bool = False) -> tuple[PoolView, ...]:
        """What runs for the variants."""

    def ingest(self) -> str:
        """Where the videos stand that are prepared before anybody asks, in a line; empty where it is not known."""

    def actor(self) -> str:
        """Who asks, for the record."""

    def edit(self, rollout: Rollout, change: Edit) -> None:
        """Change a Rollout's spec; the change is worked out anew where somebody else was faster."""

    def apply(self, resource: Resource) -> Applied:
        """Store a resource."""

    def delete(self, kind: str, name: str) -> bool:
        """Forget a resource; whether there was one."""

    def switch(self, flag: str, *, killed: bool, reason: str, service: str | None) -> None:
        """Throw a flag's kill switch, or release it. `service` says where the flag service is."""

    def reading(
        self, rollout: Rollout, *, prometheus: str | None = None, gateways: str | None = None
    ) -> "Reading | Unseen":
        """What gateways have counted of its variants. `prometheus` says where it is read in a
        cluster, and `gateways` by which labels gateways are known there."""

    def record(self, rollout: Rollout, *, service: str | None = None) -> Iterator["Line"]:
        """The decision record, oldest line first."""
