"""Fixtures: real flag services, started and stopped by the tests."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from harness import forked

from pitwall_crds.host.sockets import free_port
from pitwall_flags.flag.document import ArmShare, split_document

READY = re.compile(r"flag service ready: http=\S+:(\d+) sync=\S+:(\d+) metrics=\S+:(\d+)")


@dataclass
class Service:
    """A running flag service: its process, and where it listens."""

    database: str
    environment: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    http_port: int = 0
    sync_port: int = 0
    metrics_port: int = 0
    log: IO[str] | None = None
    process: forked.ForkedProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def metrics(self) -> str:
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    @property
    def sync(self) -> str:
        return f"127.0.0.1:{self.sync_port}"

    def start(self) -> None:
        """Start (again, on the same ports) and wait until it says that it is ready."""
        command = [sys.executable, "-m", "pitwall_flags.service", "--database", self.database, *self.options]
        command += [
            "--http-port",
            str(self.http_port),
            "--sync-port",
            str(self.sync_port),
            "--metrics-port",
            str(self.metrics_port),
        ]
        environment = {**os.environ, **self.environment}
        self.process = forked.start(command, stdout=subprocess.PIPE, stderr=self.log, env=environment)
        line = self.process.stdout.readline()
        found = READY.match(line)
        assert found, f"the service said {line!r} and exited with {self.process.wait(10)}"
        self.http_port, self.sync_port, self.metrics_port = map(int, found.groups())

    def crash(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.stop()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(30)
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
def service(tmp_path: Path, service_on: Any) -> Iterator[Service]:
    """An open service on SQLite."""
    with service_on(tmp_path) as started:
        yield started


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Poll until a condition holds, with a deadline."""

    def wait(condition: Callable[[], object], seconds: float = 60.0) -> None:
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


@dataclass
class Postgres:
    """A PostgreSQL server of the tests' own: no password, no durability, a free port."""

    binaries: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *options]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, user=postgres_user(), cwd="/")
        deadline = time.monotonic() + 60
        ready = [str(self.binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < deadline, "PostgreSQL did not start within 60 s"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGQUIT)  # "immediate": as a crash would be
            self.process.wait(30)
            self.process = None

    def new_database(self) -> str:
        """An empty database's SQLAlchemy URL."""
        name = f"flags_{uuid.uuid4().hex[:12]}"
        command = [str(self.binaries / "createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "pitwall", name]
        subprocess.run(command, check=True)
        return f"postgresql+asyncpg://pitwall@127.0.0.1:{self.port}/{name}"


def postgres_user() -> str | None:
    """PostgreSQL refuses to run as root; the Debian package brings a user."""
    return "postgres" if os.geteuid() == 0 else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server; `scripts/servers.sh` installs it where that is possible."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("no PostgreSQL under /usr/lib/postgresql: run scripts/servers.sh as root")
    folder = Path(tempfile.mkdtemp(prefix="pitwall-postgres-"))
    server = Postgres(found[-1].parent, folder, free_port())
    try:
        if postgres_user():
            shutil.chown(folder, postgres_user())
        initialize = [str(server.binaries / "initdb"), "-D", str(folder / "data"), "-U", "pitwall", "-A", "trust", "-N"]
        subprocess.run(initialize, check=True, stdout=subprocess.DEVNULL, user=postgres_user(), cwd="/")
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/flags.db"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture(scope="session")
def service_on() -> Callable[..., AbstractContextManager[Service]]:
    """A context in which a service runs on SQLite in a folder."""

    def make(folder: Path, **fields: Any) -> AbstractContextManager[Service]:
        usual = {"database": f"sqlite+aiosqlite:///{folder}/flags.db", "options": ("--requests-per-second", "0")}
        return running(Service(**{**usual, **fields}))

    return make


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory, service_on: Any) -> Iterator[Service]:
    """An open service for the tests of one module; each test uses flag keys of its own."""
    with service_on(tmp_path_factory.mktemp("flags")) as started:
        yield started


@pytest.fixture
def http(shared_service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_service.url, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A flag key that no other test uses."""
    return f"k-{uuid.uuid4().hex[:12]}"
