"""Starts server processes, each with its own log, and ends them even when the test session is interrupted."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from harness import forked

PATIENCE_SECONDS = 240.0
"""How long a test waits for what will come: a machine that has other work is slow, and only a fault never ends."""
STOP_SECONDS = 10.0
LOG_LINES = 15


def until(claim: Callable[[], object], *, what: str, seconds: float = PATIENCE_SECONDS, every: float = 0.1) -> None:
    """Returns once the claim is true; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(every)


_held: Final[list[socket.socket]] = []


def held_port() -> int:
    """A port of every address, for a server that is killed and started again: nobody else gets it during these tests.

    A socket that is bound and does not listen lets whoever names the port listen on it, and nobody who asks for any.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("0.0.0.0", 0))
    _held.append(holder)
    port: int = holder.getsockname()[1]
    return port


def dies_with_us() -> list[str]:
    """A prefix that has the kernel kill a command when this process is gone, whatever killed it."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


class Process:
    """One server process that can be stopped, killed, paused and started again with the same command."""

    def __init__(self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.command = [*([] if forked.name_of(command) else dies_with_us()), *map(str, command)]
        self.log = log
        self.environment = {**os.environ, **(environment or {})}
        self._running: forked.ForkedProcess | subprocess.Popen[str] | None = None

    def start(self) -> "Process":
        """In a session of its own: the terminal's Ctrl-C ends pytest, and pytest ends this."""
        with self.log.open("ab") as log:
            self._running = forked.start(self.command, stdout=log, stderr=log, env=self.environment)
        return self

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.command[0]} was not started"
        return self._running.pid

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    @property
    def has_ended(self) -> bool:
        """Whether it was started and runs no more."""
        return self._running is not None and not self.is_running

    @property
    def exit_status(self) -> int | None:
        return None if self._running is None else self._running.poll()

    def signal(self, number: signal.Signals) -> None:
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody has heard of it yet
                os.kill(self.pid, number)

    def pause(self) -> None:
        """Freezes the process: connections stay open, nothing answers."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it as the kernel's out-of-memory killer would."""
        self.signal(signal.SIGKILL)
        if self._running is not None:
            self._running.wait(STOP_SECONDS)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            if self._running is not None:
                self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])

    def await_ready(self, is_ready: Callable[[], bool], *, what: str) -> None:
        """Returns once it answers; fails with the end of its log where it ended or stays silent."""

        def ready_or_ended() -> bool:
            assert self.is_running, f"{what} ended with status {self.exit_status}:\n{self.last_words()}"
            return is_ready()

        try:
            until(ready_or_ended, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.last_words()}") from None
