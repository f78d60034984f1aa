"""Fixtures: a real Prometheus that scrapes a real process with every metric of Pitwall."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
import yaml

from pitwall_crds.host.sockets import free_port

START_SECONDS = 60.0
T = TypeVar("T")


def program(name: str) -> str:
    """The path of a server's program, or a skip that names it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; as root, scripts/servers.sh installs it")
    return found


def until(claim: Callable[[], T], *, seconds: float, what: str) -> T:
    """Returns what the claim gives once that is something; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := claim()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.2)
    return found


@contextmanager
def running(*command: str, stdout: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="package")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="package")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of a Prometheus that has scraped the exporter for a few seconds."""
    binary, folder, port = program("prometheus"), tmp_path_factory.mktemp("prometheus"), free_port()
    exporter = Path(__file__).with_name("exporter.py")
    with running(sys.executable, str(exporter), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        target = f"127.0.0.1:{int(process.stdout.readline())}"
        jobs = [{"job_name": "pitwall", "static_configs": [{"targets": [target]}]}]
        (folder / "prometheus.yml").write_text(
            yaml.safe_dump({"global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"}, "scrape_configs": jobs})
        )
        options = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
        with running(binary, *options, f"--web.listen-address=127.0.0.1:{port}"):
            url = f"http://127.0.0.1:{port}"
            until(lambda: is_ready(url), seconds=START_SECONDS, what="Prometheus")
            yield url


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def eventually() -> Callable[..., None]:
    """`eventually(claim, seconds=…, what=…)` waits until the claim is true."""
    return until
