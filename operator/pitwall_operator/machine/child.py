"""Manages one runtime child process: starts it, finds it again after a restart, asks whether it is ready, stops it."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
from pydantic import Field, TypeAdapter, ValidationError

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files
from pitwall_crds.names import Pool
from pitwall_crds.reading.faults import fault_in_words
from pitwall_crds.resource import Name

TAIL_BYTES = 4096
SHOWN_SECONDS: Final = 0.2
"""In which a process that was just started has a command line for sure."""
STARTED_AT: Final = "PITWALL_STARTED_AT"
"""The variable that tells a process when it was started, in epoch seconds. The system counts from its own start, so
that by its word a process was born at another time once the clock was set."""
STARTING_SECONDS: Final = 3.0
"""Within which a process is born after it was told when."""


Pid = Annotated[int, Field(gt=1, lt=2**31)]
Epoch = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Child:
    """A process of a pool. `created` tells it from a later process with the same pid."""

    variant: Name
    revision: Annotated[str, Field(pattern=r"^[a-z0-9]{1,64}$")]
    pool: Pool
    port: Annotated[int, Field(gt=0, lt=2**16)]
    pid: Pid
    created: Epoch
    log: Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]
    draining_since: Epoch = 0.0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def draining(self) -> bool:
        """Whether it gets no more questions."""
        return self.draining_since > 0

    def to_json(self) -> dict[str, Any]:
        """As a file holds it."""
        return asdict(self)


CHILDREN: Final = TypeAdapter(list[Child])


def read_children(path: Path) -> list[Child]:
    """The runtimes that a file lists. Raises UnreadableFileError."""
    try:
        return CHILDREN.validate_json(json.dumps(files.read_json(path, [])), strict=True)
    except ValidationError as error:
        words = fault_in_words(error, whole="it")
        raise UnreadableFileError(f"{path} lists no runtimes as we write them ({words})") from None


def spawn(module: str, arguments: list[str], log: Path, environment: Mapping[str, str]) -> tuple[int, float]:
    """Start a Python module in a session of its own, so that it outlives the operator; its pid and creation time."""
    with files.append_or_replace(log) as output:
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and modules)
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **environment, STARTED_AT: repr(time.time())},
        )
    try:
        created = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        created = 0.0
    return process.pid, created


def alive(pid: int, created: float) -> bool:
    """Whether that very process still runs."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            _reap(pid)
            return False
        return abs(process.create_time() - created) < 1.0 or abs(_told(process) - created) < STARTING_SECONDS
    except psutil.Error:  # it is gone, or another user's
        return False


def _told(process: psutil.Process) -> float:
    """When it was started by what it was told; NaN where nobody told it. Raises psutil.Error."""
    try:
        return float(process.environ().get(STARTED_AT, "nan"))
    except ValueError:
        return math.nan


def belongs(pid: int, created: float, folder: Path) -> bool:
    """Whether that very process still runs, is this user's, and names the state folder in its command line: a file that
    lists it may have been written by somebody else, or for another folder."""
    if not alive(pid, created):
        return False
    try:
        process = psutil.Process(pid)
        words, user = _words(process), process.uids().effective
    except psutil.Error:
        return False
    name = str(folder.resolve())
    return user == os.geteuid() and any(f"{name}/" in f"{word}/" for word in words)


def _words(process: psutil.Process) -> list[str]:
    """Its command line, which the kernel shows a moment after it has started the program. Raises psutil.Error."""
    latest = time.monotonic() + SHOWN_SECONDS
    while not (words := process.cmdline()) and time.monotonic() < latest:
        time.sleep(SHOWN_SECONDS / 100)
    return words


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: by which signal, 0 if it ended by itself, None where nobody saw it."""

    signal: int | None

    @property
    def fault(self) -> str:
        """Whose doing it was, if not its own: nobody sends these signals to themselves."""
        if self.signal is None:
            return "nobody saw how its process ended"
        outside = self.signal in (signal.SIGKILL, signal.SIGTERM)
        return f"its process was ended from outside by {signal.Signals(self.signal).name}" if outside else ""


def ending(pid: int, created: float) -> Ending | None:
    """How that very process ended; None while it runs. It is told once, to whoever started the process."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # an earlier operator started it
        return None if alive(pid, created) else Ending(None)
    if not ended:
        return None
    return Ending(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def stop(pid: int, created: float, how: signal.Signals = signal.SIGTERM) -> None:
    """Ask that very process to stop; nothing happens if it is gone."""
    if alive(pid, created):
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return


def last_words(log: Path) -> str:
    """The last non-empty line of a log, to say why a process died."""
    try:
        with files.open_regular(log) as lines:
            lines.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = lines.read().decode(errors="replace")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:300]
