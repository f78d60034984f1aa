"""Runs the variants' pools as child processes, and writes the gateway's routes file."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import yaml

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files
from pitwall_crds.host.backoff import Backoff
from pitwall_crds.host.sockets import free_port
from pitwall_crds.names import POOL_ARMS, Pool
from pitwall_crds.reading.load import load_resources, revision_of
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.machine import child
from pitwall_operator.machine.child import Child, read_children
from pitwall_operator.values.observation import PoolSeen
from pitwall_operator.values.platform import Pools

log = logging.getLogger(__name__)

READY_TIMEOUT_SECONDS = 2.0
DRAIN_SECONDS = 5.0
KILL_SECONDS = 20.0
BACKOFF = Backoff(first_seconds=1.0, longest_seconds=60.0)

PoolKey = tuple[str, Pool]


@dataclass(frozen=True, slots=True)
class ProcessFolders:
    """Where the embedded mode keeps what the processes share.

    Attributes:
        state: folder for processes, routes, revisions and logs.
        cache: folder for frames and embeddings, shared by all variants.
        media_roots: folders whose films may be asked about.
    """

    state: Path
    cache: Path
    media_roots: tuple[Path, ...]

    @property
    def routes(self) -> Path:
        """The file that tells the gateway where each variant answers."""
        return self.state / "run" / "routes.json"

    @property
    def revisions(self) -> Path:
        """The folder with the spec of every revision that a pool was started with."""
        return self.state / "run" / "revisions"

    @property
    def serving(self) -> Path:
        """The folder with a file for each variant that pools run, for the ingest worker."""
        return self.state / "run" / "serving"

    @property
    def processes(self) -> Path:
        """The file that lists the runtimes, so that a restarted operator finds them."""
        return self.state / "run" / "processes.json"


@dataclass(slots=True)
class Goal:
    """What a pool shall be, and when its next start may be tried."""

    variant: SamplerVariant
    revision: str
    replicas: int
    failures: int = 0
    not_before: float = 0.0
    trouble: str = ""
    fault: str = ""


@dataclass(slots=True)
class Processes:
    """The `Platform` of the embedded mode."""

    layout: ProcessFolders
    client: httpx.AsyncClient
    children: list[Child] = field(default_factory=list)
    goals: dict[PoolKey, Goal] = field(default_factory=dict)
    ready: frozenset[int] = frozenset()

    @classmethod
    def adopt(cls, layout: ProcessFolders, client: httpx.AsyncClient) -> "Processes":
        """The platform with the processes that an earlier operator left running. Where they cannot be read it begins
        with none, lest the users of every variant wait for a file."""
        try:
            known = read_children(layout.processes)
        except UnreadableFileError as error:
            log.error("%s; runtimes that it listed are started anew, and the old ones are left to you", error)  # noqa: TRY400
            files.move_aside(layout.processes)
            known = []
        return cls(layout, client, children=[c for c in known if child.belongs(c.pid, c.created, layout.state)])

    async def pools(self) -> Pools:
        """Every pool; dead processes are replaced, drained ones are stopped."""
        self._forget_ended()
        for key in list(self.goals):
            self._replenish(key)
        await self._probe()
        self._retire()
        self._write_routes()
        self._write_serving()
        return self._seen()

    async def run(self, variant: SamplerVariant, revision: str, pool: Pool, replicas: int) -> None:
        """Keep this many replicas of the pool, of this revision."""
        key = (variant.metadata.name, pool)
        known = self.goals.get(key)
        if known is None or (known.revision, known.replicas) != (revision, replicas):
            self.goals[key] = Goal(variant, revision, replicas)
        self._replenish(key)

    async def drain(self, variant: str, pool: Pool) -> None:
        """Send the pool no more questions; it stops a few seconds later."""
        self.goals.pop((variant, pool), None)
        self._mark_draining(self._of((variant, pool)))
        self._write_routes()

    def targets(self) -> tuple[str, ...]:
        """Base URLs of every process that answers, draining ones included: what they counted still counts."""
        return tuple(c.url for c in self.children if c.pid in self.ready)

    def answering(self, variant: str) -> tuple[str, ...]:
        """Base URLs of this variant's processes that are ready."""
        return tuple(c.url for c in self.children if c.variant == variant and c.pid in self.ready and not c.draining)

    # --- children ---

    def _of(self, key: PoolKey) -> list[Child]:
        return [c for c in self.children if (c.variant, c.pool) == key and not c.draining]

    def _remember(self, children: Iterable[Child]) -> None:
        self.children = list(children)
        files.write_json(self.layout.processes, [c.to_json() for c in self.children])

    def _mark_draining(self, leaving: Iterable[Child]) -> None:
        pids = {c.pid for c in leaving}
        if pids:
            now = time.time()
            self._remember(replace(c, draining_since=now) if c.pid in pids else c for c in self.children)

    def _forget_ended(self) -> None:
        dead = {c: how for c in self.children if (how := child.ending(c.pid, c.created))}
        if not dead:
            return
        self._remember(c for c in self.children if c not in dead)
        for lost, how in dead.items():
            goal = self.goals.get((lost.variant, lost.pool))
            if goal and not lost.draining:
                words = child.last_words(Path(lost.log)) or "the process ended without a word"
                self._put_off(goal, words, how.fault)

    def _put_off(self, goal: Goal, trouble: str, fault: str) -> None:
        goal.failures += 1
        goal.not_before = time.time() + BACKOFF.seconds(goal.failures)
        goal.trouble, goal.fault = trouble[:300], fault

    def _replenish(self, key: PoolKey) -> None:
        goal = self.goals[key]
        current = [c for c in self._of(key) if c.revision == goal.revision]
        self._mark_draining(current[goal.replicas :])
        if BACKOFF.keeps_waiting(goal.not_before - time.time()):
            return
        try:
            for _ in range(goal.replicas - len(current)):
                self._start(key, goal)
        except OSError as error:  # no memory, no disk, or no such file can be made: that is this pool's trouble
            self._put_off(goal, f"it cannot be started: {error}", "")

    def _start(self, key: PoolKey, goal: Goal) -> None:
        name, pool = key
        manifest = self._whole_manifest(goal)
        port = free_port()
        log = self.layout.state / "logs" / f"{name}-{pool}.log"
        roots = [part for root in self.layout.media_roots for part in ("--media-root", str(root))]
        arm = POOL_ARMS[pool][0]
        pid, created = child.spawn(
            "pitwall_runtime.serve",
            ["--variant", str(manifest), "--arm", arm, "--port", str(port), "--host", "127.0.0.1",
             "--cache-dir", str(self.layout.cache), *roots],
            log,
            {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PROMETHEUS_DISABLE_CREATED_SERIES": "True"},
        )  # fmt: skip
        started = Child(name, goal.revision, pool, port, pid, created, str(log))
        self._remember([*self.children, started])

    def _manifest(self, goal: Goal) -> Path:
        """The revision's own file: a pool keeps its spec although the resource may be edited meanwhile."""
        path = self.layout.revisions / _file_name(goal.variant.metadata.name, goal.revision)
        if not path.exists():
            files.write_whole(path, yaml.safe_dump(goal.variant.to_manifest(), sort_keys=False))
        return path

    def _whole_manifest(self, goal: Goal) -> Path:
        """The revision's file for a process that begins: one that holds something else is written anew."""
        path = self._manifest(goal)
        try:
            [found] = load_resources(files.read_text(path), source=str(path))
            revision = revision_of(found) if isinstance(found, SamplerVariant) else ""
            same = (found.metadata.name, revision) == (goal.variant.metadata.name, goal.revision)
        except (ValueError, OSError):  # unreadable, invalid, or of several resources
            same = False
        if not same:
            log.warning("%s does not hold the revision %s; it is written anew", path, goal.revision)
            files.move_aside(path)
        return self._manifest(goal)

    # --- readiness ---

    async def _probe(self) -> None:
        answers = await asyncio.gather(*(self._is_ready(c) for c in self.children))
        self.ready = frozenset(c.pid for c, ready in zip(self.children, answers, strict=True) if ready)
        for key, goal in self.goals.items():
            if any(c.pid in self.ready for c in self._of(key)):
                goal.failures, goal.trouble, goal.fault = 0, "", ""

    async def _is_ready(self, candidate: Child) -> bool:
        try:
            answer = await self.client.get(f"{candidate.url}/readyz", timeout=READY_TIMEOUT_SECONDS)
        except httpx.HTTPError:
            # A busy process that was ready stays so; one that is gone is given up by its pid.
            return candidate.pid in self.ready
        return answer.status_code == httpx.codes.OK

    def _retire(self) -> None:
        """Old revisions leave once the new one answers; drained processes stop after their grace time."""
        for key, goal in self.goals.items():
            new = [c for c in self._of(key) if c.revision == goal.revision and c.pid in self.ready]
            if len(new) >= goal.replicas:
                self._mark_draining(c for c in self._of(key) if c.revision != goal.revision)
        now = time.time()
        self._mark_draining(c for c in self.children if c.draining_since > now)  # the clock was set back
        for leaving in self.children:
            if leaving.draining and now - leaving.draining_since > KILL_SECONDS:
                child.stop(leaving.pid, leaving.created, signal.SIGKILL)
            elif leaving.draining and now - leaving.draining_since > DRAIN_SECONDS:
                child.stop(leaving.pid, leaving.created)

    def _seen(self) -> Pools:
        seen: dict[str, dict[Pool, PoolSeen]] = {}
        for name, pool in {*self.goals, *((c.variant, c.pool) for c in self.children if not c.draining)}:
            running, goal = self._of((name, pool)), self.goals.get((name, pool))
            revision = goal.revision if goal else running[0].revision
            seen.setdefault(name, {})[pool] = PoolSeen(
                revision=revision,
                desired=goal.replicas if goal else 0,
                ready=sum(c.pid in self.ready and c.revision == revision for c in running),
                trouble=goal.trouble if goal else "",
                fault=goal.fault if goal else "",
            )
        return seen

    def _write_routes(self) -> None:
        """Where each pool answers; one that nobody answers for is there without a URL, as it is in a cluster."""
        routes: dict[str, dict[str, list[str]]] = {}
        for name, pool in self.goals:
            for arm in POOL_ARMS[pool]:
                routes.setdefault(name, {}).setdefault(arm, [])
        for c in self.children:
            if c.pid in self.ready and not c.draining:
                for arm in POOL_ARMS[c.pool]:
                    routes.setdefault(c.variant, {}).setdefault(arm, []).append(c.url)
        content: Mapping[str, object] = {"variants": routes}
        try:
            same = files.read_json(self.layout.routes, None) == content
        except UnreadableFileError as error:
            log.warning("%s; it is written anew", error)
            files.move_aside(self.layout.routes)
            same = False
        if not same:
            files.write_json(self.layout.routes, content)

    def _write_serving(self) -> None:
        """What runs or shall run; a restarted operator knows the first before the second."""
        wanted = {self._manifest(goal).name for goal in self.goals.values()}
        wanted |= {_file_name(c.variant, c.revision) for c in self.children if not c.draining}
        here = {path.name for path in self.layout.serving.glob("*.yaml")}
        kept = {name for name in here & wanted if (self.layout.serving / name).is_file()}
        for name in here - kept:
            files.move_aside(self.layout.serving / name)
        for name in wanted - kept:
            with contextlib.suppress(FileNotFoundError, UnreadableFileError):
                files.write_whole(self.layout.serving / name, files.read_text(self.layout.revisions / name))


def _file_name(variant: str, revision: str) -> str:
    return f"{variant}-{revision}.yaml"
