"""The interface to whatever runs the variants' pools: Kubernetes Deployments or child processes."""

from collections.abc import Mapping
from typing import Protocol

from pitwall_crds.names import Pool
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.values.observation import PoolSeen

Pools = Mapping[str, Mapping[Pool, PoolSeen]]
"""Pools by variant name."""


class Platform(Protocol):
    """Runs pools of runtimes. Every call is idempotent and returns without waiting for readiness."""

    async def pools(self) -> Pools:
        """Every pool that runs, and how many of its replicas answer. Raises OSError."""

    async def run(self, variant: SamplerVariant, revision: str, pool: Pool, replicas: int) -> None:
        """Keep this many replicas of the pool, of this revision; surplus ones are drained."""

    async def drain(self, variant: str, pool: Pool) -> None:
        """Send the pool no more questions, let it finish what it has, then stop it."""

    def targets(self) -> tuple[str, ...]:
        """Base URLs whose /metrics hold the pools' counters."""
