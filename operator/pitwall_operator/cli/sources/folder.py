"""Resources and processes of the embedded mode, in a state folder, for the commands."""

import asyncio
import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.names import Label, Metric
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_flags.client import FlagClient
from pitwall_operator.cli.context import fail, problems
from pitwall_operator.cli.sources.flags import switch
from pitwall_operator.cli.sources.port import Edit, Pod, PoolView
from pitwall_operator.machine.child import Child, alive
from pitwall_operator.machine.resources import Applied, Resources
from pitwall_operator.machine.state_folder import StateFolder
from pitwall_operator.machine.stored import Resource
from pitwall_operator.values.errors import Exit, OvertakenError

if TYPE_CHECKING:
    from pitwall_operator.record.lines import Line
    from pitwall_operator.values.observation import Reading, Unseen


@dataclass(frozen=True, slots=True)
class Folder:
    """A state folder."""

    state: Path

    @property
    def place(self) -> str:
        """For messages."""
        return str(self.state)

    @property
    def record_is_near(self) -> bool:
        """It is a file."""
        return True

    def rollouts(self, *, everywhere: bool = False) -> tuple[Rollout, ...]:  # noqa: ARG002 – a folder has one namespace
        """All Rollouts."""
        return self._resources().rollouts()

    def variants(self, *, everywhere: bool = False) -> tuple[SamplerVariant, ...]:  # noqa: ARG002
        """All SamplerVariants."""
        return self._resources().variants()

    def tell_unreadable(self) -> None:
        """Say on standard error which resources stand still because their files are broken, and why pods are not
        shown, whole: where they would be shown a terminal's width cuts it."""
        for broken in Resources(self.state).unreadable():
            problems.print(f"{broken.kind} {broken.name} stands still: {broken.words}", markup=False)
        try:
            self._running()
        except UnreadableFileError as error:
            problems.print(f"pods are not shown: {error}", markup=False)

    def pools(self, *, everywhere: bool = False) -> tuple[PoolView, ...]:  # noqa: ARG002
        """The runtimes that are alive; ready are those that the gateway's routes name."""
        try:
            children, routed = self._running()
        except UnreadableFileError as error:
            fail(str(error), Exit.BAD_INPUT)
        pools: dict[tuple[str, str, str], list[Pod]] = {}
        for child in children:
            if alive(child.pid, child.created) and not child.draining:
                pod = Pod(f"pid {child.pid}", child.url in routed, "" if child.url in routed else "starting")
                pools.setdefault((child.variant, child.pool.value, child.revision), []).append(pod)
        return tuple(
            PoolView("default", variant, pool, revision, sum(pod.ready for pod in pods), len(pods), tuple(pods))
            for (variant, pool, revision), pods in pools.items()
        )

    def _running(self) -> tuple[list[Child], frozenset[str]]:
        """The runtimes that were started, and the addresses that the gateway knows. Raises UnreadableFileError."""
        folder = StateFolder(self.state)
        return folder.children(), folder.routed()

    def ingest(self) -> str:
        """From the worker's counters."""
        from pitwall_operator.observe.scrape import parse

        folder = StateFolder(self.state)
        try:
            known = folder.services().get("ingest")
        except UnreadableFileError as error:
            return str(error)
        if known is None:
            return ""
        if not alive(*known):
            return "no worker runs; `pitwall up` starts one"
        try:
            counted = parse(httpx.get(f"{folder.ingest_url()}/metrics", timeout=2.0, trust_env=False).text)
        except (httpx.HTTPError, ValueError):
            return f"the worker does not answer yet; see {folder.logs / 'ingest.log'}"
        depth = {labels[Label.STATE]: int(count) for labels, count in counted.samples.get(Metric.INGEST_QUEUE, ())}
        return "{waiting} waiting, {taken} in work, {dead} failed".format(**depth) if depth else "its queue is away"

    def actor(self) -> str:
        """The user of this machine."""
        return getpass.getuser()

    def edit(self, rollout: Rollout, change: Edit) -> None:
        """Change the spec's file, as it is now."""
        try:
            Resources(self.state).edit(rollout, change)
        except OvertakenError as error:
            fail(f"{error}; nothing was written, look at it and ask again", Exit.CONFLICT)

    def apply(self, resource: Resource) -> Applied:
        """Store a file."""
        StateFolder(self.state).make()
        return Resources(self.state).apply(resource)

    def delete(self, kind: str, name: str) -> bool:
        """Remove a file."""
        return Resources(self.state).delete(kind, name)

    def switch(self, flag: str, *, killed: bool, reason: str, service: str | None) -> None:  # noqa: ARG002 – known here
        """By the flag service of this folder."""
        folder = StateFolder(self.state)
        if not folder.settings():
            fail(f"nothing was started in {self.state}: `pitwall up -f FILE` starts it", Exit.NOT_RUNNING)
        client = FlagClient(folder.flags_url(), token=folder.secrets()["kill"])
        asyncio.run(switch(client, flag, killed=killed, actor=self.actor(), reason=reason))

    def reading(
        self,
        rollout: Rollout,  # noqa: ARG002
        *,
        prometheus: str | None = None,  # noqa: ARG002
        gateways: str | None = None,  # noqa: ARG002
    ) -> "Reading | Unseen":
        """From the gateway of this folder."""
        from pitwall_operator.observe.scrape import scrape
        from pitwall_operator.values.observation import Unseen

        folder = StateFolder(self.state)
        if not folder.settings():
            return Unseen(f"nothing runs in {self.state}")

        async def read() -> "Reading | Unseen":
            async with httpx.AsyncClient(trust_env=False) as client:
                found = await scrape(client, (folder.metrics_url(),), ())
                return found if isinstance(found, Unseen) else found.gateways

        return asyncio.run(read())

    def record(self, rollout: Rollout, *, service: str | None = None) -> Iterator["Line"]:  # noqa: ARG002
        """Read the record's file."""
        from pitwall_operator.record.lines import RecordFile

        return RecordFile(StateFolder(self.state).record(rollout.metadata.name)).read()

    def _resources(self) -> Resources:
        if not (self.state / "resources").is_dir():
            fail(
                f"{self.state} holds no resources: start with `pitwall up -f FILE`, name the folder by --state, "
                "or a cluster by --context or --namespace",
                Exit.NOT_RUNNING,
            )
        return Resources(self.state)
