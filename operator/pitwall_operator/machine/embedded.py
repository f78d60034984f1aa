"""Runs the operator on one machine: `python -m pitwall_operator.machine.embedded --state DIR`, until SIGTERM.

YAML files stand for the API server, child processes for pods. Everything it knows is in the state folder, so it may be
killed and started again at any moment.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # until heap.settle()

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from pitwall_crds.errors import InvalidResourceError, UnreadableFileError
from pitwall_crds.host import files, heap, logs
from pitwall_crds.names import EventReason
from pitwall_crds.reading.load import load_resources, revision_of
from pitwall_crds.resource import Metadata
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_flags.client import FlagClient
from pitwall_operator.decision.permission.ownership import claim_of
from pitwall_operator.decision.steps.move import MOVING
from pitwall_operator.decision.telling.variant_status import describe_variant
from pitwall_operator.machine.metrics import EmbeddedMetrics
from pitwall_operator.machine.processes import Processes, ProcessFolders
from pitwall_operator.machine.resources import Resources
from pitwall_operator.machine.state_folder import StateFolder
from pitwall_operator.machine.sweep import MachineSweep
from pitwall_operator.observe.samplers import SamplerReader
from pitwall_operator.observe.scrape import DirectReading, scrape
from pitwall_operator.observe.variant_metrics import metrics_between
from pitwall_operator.record.lines import Line, RecordFile
from pitwall_operator.turn.turn import TurnPorts, tell_standstill, turn
from pitwall_operator.values import timestamps
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.errors import OvertakenError
from pitwall_operator.values.observation import Reading, Unseen
from pitwall_operator.values.samplers_said import SamplersSaid, VariantNews

log = logging.getLogger("pitwall_operator.machine.embedded")

TURN_SECONDS = 0.5
READING_SECONDS = 0.9
RESTING_SECONDS = 3.0
"""So old a reading may be while no rollout moves: nothing is weighed then, and it costs those that are read and this
process more than a turn does. What begins has a new one at its next turn."""
WINDOW_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class FolderMemory:
    """Statuses, records and the event log, as files."""

    folder: StateFolder
    resources: Resources

    async def write_status(self, resource: Rollout, status: RolloutStatus) -> None:
        """Store the status. Raises OvertakenError."""
        self.resources.write_status(resource, status)

    async def append(self, rollout: Rollout, new: Sequence[Line]) -> None:
        """Add to the rollout's record."""
        RecordFile(self.folder.record(rollout.metadata.name)).append(new)

    async def recorded(self, namespace: str, name: str) -> AsyncIterator[Line]:  # noqa: ARG002 – there is one here
        """A rollout's record, oldest line first."""
        lines = () if "/" in name else RecordFile(self.folder.record(name)).read()  # it would name a file elsewhere
        for line in lines:
            yield line

    def announce(self, effect: Announce) -> None:
        """One line of the event log."""
        line = {
            "time": timestamps.to_text(time.time()),
            "type": "Warning" if effect.warning else "Normal",
            "reason": effect.reason,
            "message": effect.message,
        }
        with files.append_or_replace(self.folder.events) as events:
            events.write(json.dumps(line).encode() + b"\n")
        log.log(logging.WARNING if effect.warning else logging.INFO, "%s: %s", effect.reason, effect.message)


@dataclass(slots=True)
class EmbeddedOperator:
    """The loop's state; all of it can be lost."""

    folder: StateFolder
    resources: Resources
    ports: TurnPorts
    platform: Processes
    client: httpx.AsyncClient
    metrics: EmbeddedMetrics
    samplers: SamplerReader = field(init=False)
    readings: deque[DirectReading] = field(default_factory=deque)
    troubles: dict[str, str] = field(default_factory=dict)
    rests: bool = False
    sweep: MachineSweep = field(init=False)

    def __post_init__(self) -> None:
        self.sweep = MachineSweep(self.ports.flags, self.platform, self.resources)
        self.samplers = SamplerReader(self.client)

    async def run(self, stopped: asyncio.Event) -> None:
        """Take turns until told to stop. A turn that fails is logged and the next one starts afresh."""
        while not stopped.is_set():
            started = time.monotonic()
            try:
                await self.once()
            except Exception:  # the loop must outlive whatever one turn meets
                log.exception("this turn failed; the next one starts afresh")
            left = TURN_SECONDS - (time.monotonic() - started)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), max(left, 0.01))

    async def once(self) -> None:
        """One turn of every rollout, then the variants' statuses. What is wrong with one holds up no other."""
        for broken in self.resources.unreadable():
            self._tell(f"{broken.kind}/{broken.name}", broken.words)
        variants = self.resources.variants()
        reading = await self._read()
        rollouts, moving = self.resources.rollouts(), False
        for rollout in rollouts:
            try:
                status = await self._turn(rollout, variants, reading, rollouts)
                moving |= status.phase in MOVING or bool(status.experiments)
            except OvertakenError as error:
                moving = True
                log.info("nothing is done for it: %s", error)
            except Exception as error:  # the others' turns must come whatever one meets
                moving = True
                await self._tell_broken(rollout, error)
        self.rests = not moving
        await self._describe(variants)
        await self.sweep.once()

    async def _turn(
        self,
        rollout: Rollout,
        variants: Sequence[SamplerVariant],
        reading: Reading | Unseen,
        rollouts: Sequence[Rollout],
    ) -> RolloutStatus:
        claims = [claim_of(other) for other in rollouts]
        done = await turn(rollout, variants, self._revisions(variants), self.ports, reading, claims)
        self.metrics.show(rollout, done.decision.status)
        for failure in done.failures:
            log.warning("could not %s; trying again", failure)
        self.troubles.pop(f"Rollout/{rollout.metadata.name}", None)
        return done.decision.status

    async def _tell_broken(self, rollout: Rollout, error: Exception) -> None:
        """Its status says why nothing moves; where even that cannot be written, the event log does."""
        words = f"{type(error).__name__}: {error}"
        log.error("Rollout %s: its turn broke; the next one starts afresh", rollout.metadata.name, exc_info=error)
        self._tell(f"Rollout/{rollout.metadata.name}", words)
        with contextlib.suppress(OSError, ValueError, OvertakenError):
            await tell_standstill(rollout, self.ports.memory, f"its turn broke: {words}"[:256], now=time.time())

    def _tell(self, what: str, words: str) -> None:
        """One event for each trouble, however many turns it lasts."""
        if self.troubles.get(what) != words:
            with _unless_full("the event log"):
                told = Announce(EventReason.BROKEN, f"{what} stands still: {words}", warning=True)
                self.ports.announcer.announce(told)
                self.troubles[what] = words

    async def _read(self) -> Reading | Unseen:
        """The counters now; a reading of a moment ago serves again, since parsing costs more than a turn."""
        serves = RESTING_SECONDS if self.rests else READING_SECONDS
        if self.readings and 0 <= time.time() - self.readings[-1].gateways.time < serves:
            return self.readings[-1].gateways
        found = await scrape(self.client, (self.folder.metrics_url(),), self.platform.targets())
        if isinstance(found, Unseen):
            return found
        self._keep(found)
        return found.gateways

    def _keep(self, found: DirectReading) -> None:
        if self.readings and found.gateways.time < self.readings[-1].gateways.time:
            self.readings.clear()  # the clock was set back
        self.readings.append(found)
        while len(self.readings) > 2 and self.readings[1].gateways.time < found.gateways.time - WINDOW_SECONDS:
            self.readings.popleft()

    def _revisions(self, declared: Sequence[SamplerVariant]) -> Mapping[tuple[str, str], SamplerVariant]:
        """Specs by (name, revision): the declared ones, and those that pools still run."""
        specs: dict[tuple[str, str], SamplerVariant] = {}
        for path in self.folder.revisions.glob("*.yaml"):
            with contextlib.suppress(InvalidResourceError, UnreadableFileError, FileNotFoundError):
                found = load_resources(files.read_text(path), source=str(path))
                specs.update({_key(v): v for v in found if isinstance(v, SamplerVariant)})
        return specs | {_key(variant): variant for variant in declared}

    async def _describe(self, variants: Sequence[SamplerVariant]) -> None:
        pools = await self.platform.pools()
        rollouts = self.resources.rollouts()
        fresh, now = len(self.readings) > 1, time.time()
        for variant in variants:
            name = variant.metadata.name
            metrics = metrics_between(self.readings[-1].everybody, self.readings[0].everybody, name) if fresh else None
            news = VariantNews(metrics, await self._ask_samplers(variant.metadata))
            status = describe_variant(variant, pools.get(name, {}), rollouts, news, now=now)
            with contextlib.suppress(OvertakenError), _unless_full(f"the status of SamplerVariant {name}"):
                self.resources.write_status(variant, status)

    async def _ask_samplers(self, variant: Metadata) -> SamplersSaid | None:
        answering = self.platform.answering(variant.name)
        return await self.samplers.ask((variant.namespace, variant.name), answering[0]) if answering else None


@contextlib.contextmanager
def _unless_full(what: str) -> Iterator[None]:
    """Goes on where something that only people read cannot be written, as on a full disk: all else is still done."""
    try:
        yield
    except OSError as error:
        log.warning("%s cannot be written: %s", what, error.strerror or error)


def _key(variant: SamplerVariant) -> tuple[str, str]:
    return variant.metadata.name, revision_of(variant)


def lock(folder: StateFolder) -> IO[bytes]:
    """Hold the folder as its only operator, for as long as the returned file is open. Raises BlockingIOError."""
    held = files.append_or_replace(folder.run / "operator.lock")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise
    return held


async def serve(folder: StateFolder) -> None:
    """Run the operator of a state folder until SIGTERM or SIGINT."""
    heap.settle()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    settings = folder.whole_settings()
    resources = Resources(folder.state)
    async with httpx.AsyncClient(trust_env=False) as client:
        layout = ProcessFolders(folder.state, Path(settings.cache), tuple(Path(root) for root in settings.media_roots))
        platform = Processes.adopt(layout, client)
        flags = FlagClient(folder.flags_url(), token=folder.secrets()["write"])
        memory = FolderMemory(folder, resources)
        ports = TurnPorts(flags, platform, memory, memory)
        metrics = EmbeddedMetrics.listening(folder.port("operator"))
        try:
            await EmbeddedOperator(folder, resources, ports, platform, client, metrics).run(stopped)
        finally:
            await flags.close()
            metrics.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the operator process."""
    parser = argparse.ArgumentParser(prog="pitwall_operator.machine.embedded", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the folder that `pitwall up` made")
    chosen = parser.parse_args(arguments)
    logs.set_up({"httpx": logging.WARNING})
    folder = StateFolder(chosen.state.resolve())
    try:
        held = lock(folder)
    except BlockingIOError:
        sys.stderr.write(f"another operator already runs on {chosen.state}; stop it first (pitwall down)\n")
        return 2
    with held:
        try:
            folder.refuse_others()
            asyncio.run(serve(folder))
        except UnreadableFileError as error:  # settings or tokens, or the folder is somebody else's
            sys.stderr.write(f"{error}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
