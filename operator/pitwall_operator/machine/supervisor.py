"""Keeps the embedded mode's services running: flag service, gateway, operator and ingest worker.

`python -m pitwall_operator.machine.supervisor --state DIR`. The services outlive a killed supervisor; the next one
finds them by pid and creation time.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files, logs
from pitwall_crds.host.backoff import Backoff
from pitwall_operator.machine import child
from pitwall_operator.machine.state_folder import StateFolder

log = logging.getLogger("pitwall_operator.machine.supervisor")

POLL_SECONDS = 0.3
STOP_SECONDS = 10.0
INGEST_NICE = 10
"""Videos are prepared ahead with what questions leave of the processors."""
BACKOFF = Backoff(first_seconds=0.5, longest_seconds=30.0)


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A process that must run as long as the supervisor does."""

    name: str
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def services(folder: StateFolder) -> tuple[ServiceProcess, ...]:
    """The services of a state folder, in the order in which they start."""
    settings, tokens = folder.whole_settings(), folder.secrets()
    ports = settings.ports.model_dump()
    database = folder.state / "flags.sqlite"
    return (
        ServiceProcess(
            "flags",
            "pitwall_flags.service",
            ("--database", f"sqlite+aiosqlite:///{database}", "--host", "127.0.0.1",
             "--http-port", str(ports["flags"]), "--sync-port", str(ports["sync"]),
             *(part for origin in settings.web_origins for part in ("--cors-origin", origin))),
            {f"PITWALL_FLAGS_{role.upper()}_TOKEN": token for role, token in tokens.items()},
        ),
        ServiceProcess(
            "gateway",
            "pitwall_gateway",
            ("--port", str(ports["gateway"]), "--host", "127.0.0.1", "--flag", settings.flag,
             "--metrics-port", str(ports["metrics"]), "--no-authentication", "--show-assignment",
             "--flags-sync", f"127.0.0.1:{ports['sync']}", "--routes", str(folder.run / "routes.json"),
             "--state-dir", str(folder.state / "gateway"), "--follow-up-seconds", str(settings.follow_up_seconds)),
            {"PITWALL_FLAGS_EVALUATE_TOKEN": tokens["evaluate"], "PROMETHEUS_DISABLE_CREATED_SERIES": "True"},
        ),
        ServiceProcess("operator", "pitwall_operator.machine.embedded", ("--state", str(folder.state))),
        ServiceProcess(
            "ingest",
            "pitwall_runtime.ingest",
            ("work", "--variants", str(folder.serving), "--cache-dir", settings.cache, "--nice", str(INGEST_NICE),
             "--metrics-port", str(ports["ingest"]),
             *(part for root in settings.media_roots for part in ("--media-root", root))),
            {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PROMETHEUS_DISABLE_CREATED_SERIES": "True"},
        ),
    )  # fmt: skip


@dataclass(slots=True)
class RunningService:
    """A service's process, and how often it has died in a row."""

    service: ServiceProcess
    pid: int = 0
    created: float = 0.0
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Starts what does not run, with a growing pause between tries; stops everything at the end."""

    folder: StateFolder
    running: list[RunningService]

    @classmethod
    def adopt(cls, folder: StateFolder) -> "Supervisor":
        """A supervisor with the services that an earlier one left running."""
        try:
            known = folder.services()
        except UnreadableFileError as error:
            log.error("%s; the services are started anew, and what still runs of them is left to you", error)  # noqa: TRY400
            files.move_aside(folder.run / "services.json")
            known = {}
        found = []
        for service in services(folder):
            pid, created = known.get(service.name, (0, 0.0))
            if pid and not child.belongs(pid, created, folder.state):
                pid, created = 0, 0.0
            found.append(RunningService(service, pid, created))
        return cls(folder, found)

    def keep(self) -> None:
        """Start every service that does not run and may be tried again."""
        for one in self.running:
            try:
                self._keep(one)
            except OSError as error:  # no memory, no disk, no process left: later there may be
                one.failures += 1
                one.not_before = time.time() + BACKOFF.seconds(one.failures)
                log.warning("%s could not be started: %s", one.service.name, error)

    def _keep(self, one: RunningService) -> None:
        if one.pid and child.alive(one.pid, one.created):
            return
        if one.pid:
            self._note_end(one)
        if not BACKOFF.keeps_waiting(one.not_before - time.time()):
            self._start(one)

    def _note_end(self, one: RunningService) -> None:
        words = child.last_words(self._log(one))
        lived = time.time() - one.started
        one.failures = one.failures + 1 if lived < BACKOFF.longest_seconds else 1
        pause = BACKOFF.seconds(one.failures)
        one.pid, one.not_before = 0, time.time() + pause
        log.warning("%s ended after %.0f s (%s); starting it again in %.1f s", one.service.name, lived, words, pause)

    def _start(self, one: RunningService) -> None:
        one.pid, one.created = child.spawn(
            one.service.module, list(one.service.arguments), self._log(one), one.service.environment
        )
        one.started = time.time()
        log.info("%s runs as pid %d", one.service.name, one.pid)
        files.write_json(self.folder.run / "services.json", {r.service.name: (r.pid, r.created) for r in self.running})

    def _log(self, one: RunningService) -> Path:
        return self.folder.logs / f"{one.service.name}.log"

    def end(self) -> None:
        """Stop everything: services in reverse order of their start, then the runtimes."""
        stop_all([(one.pid, one.created) for one in reversed(self.running) if one.pid])
        stop_runtimes(self.folder)


def stop_all(processes: Sequence[tuple[int, float]]) -> None:
    """Ask the processes to stop; make those stop that have not after ten seconds."""
    for pid, created in processes:
        child.stop(pid, created)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(child.alive(*process) for process in processes):
        time.sleep(0.05)
    for pid, created in processes:
        child.stop(pid, created, signal.SIGKILL)


def stop_runtimes(folder: StateFolder) -> None:
    """Stop the runtimes that the operator's platform left running, and nothing else that the file may list."""
    path = folder.run / "processes.json"
    try:
        listed = [(runtime.pid, runtime.created) for runtime in folder.children()]
        stop_all([process for process in listed if child.belongs(*process, folder.state)])
    except UnreadableFileError as error:
        log.warning("runtimes may go on running: %s", error)
        return
    files.write_json(path, [])


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the supervisor process."""
    parser = argparse.ArgumentParser(prog="pitwall_operator.machine.supervisor", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    folder = StateFolder(parser.parse_args(arguments).state.resolve())
    logs.set_up({"httpx": logging.WARNING})
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        folder.refuse_others()
        supervisor = Supervisor.adopt(folder)
    except UnreadableFileError as error:  # settings or tokens, or the folder is somebody else's
        sys.stderr.write(f"{error}\n")
        return 2
    while not stopped.wait(POLL_SECONDS):
        supervisor.keep()
    supervisor.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
