"""Real flag services, started and stopped by the tests."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pitwall_flags.document import ArmShare, split_document

READY = re.compile(r"flag service ready: http=\S+:(\d+) sync=\S+:(\d+)")


@dataclass
class Service:
    """A running flag service: its process, and where it listens."""

    database: str
    environment: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    http_port: int = 0
    sync_port: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def sync(self) -> str:
        return f"127.0.0.1:{self.sync_port}"

    def start(self) -> None:
        """Start (again, on the same ports) and wait until it says that it is ready."""
        command = [sys.executable, "-m", "pitwall_flags.service", "--database", self.database, *self.options]
        command += ["--http-port", str(self.http_port), "--sync-port", str(self.sync_port)]
        environment = {**os.environ, **self.environment}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        found = READY.match(line)
        assert found, f"the service said {line!r} and exited with {self.process.wait(10)}"
        self.http_port, self.sync_port = int(found[1]), int(found[2])

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process = None


@contextmanager
def running(service: Service) -> Iterator[Service]:
    try:
        service.start()
        yield service
    finally:
        service.stop()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An open service on SQLite."""
    with running(
        Service(f"sqlite+aiosqlite:///{tmp_path}/flags.db", options=("--requests-per-second", "0"))
    ) as started:
        yield started


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Poll until a condition holds, with a deadline."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not true within {seconds} s"
            time.sleep(0.01)

    return wait


@pytest.fixture
def split() -> Callable[[int], dict[str, object]]:
    """A split with this candidate weight in basis points, and a control as large while there is room."""

    def make(weight: int, salt: str = "run-1") -> dict[str, object]:
        control = min(weight, 10_000 - weight)
        shares = [
            ArmShare("candidate", "aks-v2", weight),
            ArmShare("control", "uniform-v1", control),
            ArmShare("stable", "uniform-v1", 10_000 - weight - control),
        ]
        return split_document(shares, salt=salt)

    return make
