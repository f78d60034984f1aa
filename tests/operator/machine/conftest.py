"""A runtime that is a real process and knows nothing: it answers /readyz, or dies, as the test says."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pitwall_crds.host import files
from pitwall_crds.host.sockets import free_port
from pitwall_operator.machine import child
from pitwall_operator.machine.state_folder import StateFolder

RUNTIME = '''
"""Stands where the real runtime would: `python -m pitwall_runtime.serve`."""
import http.server, os, pathlib, sys

here = pathlib.Path(__file__).parent
if (here / "broken").exists():
    sys.exit("no weights here")

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if (here / "loading").exists() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Ready).serve_forever()
'''


def wait_for(claim: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Until a claim about other processes holds."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a claim about other processes."""
    return wait_for


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A state folder as `up` leaves it."""
    made = StateFolder(tmp_path / "state")
    made.write_settings(
        {
            "flag": "sampler.variant",
            "cache": str(tmp_path / "cache"),
            "media_roots": [str(tmp_path / "media")],
            "follow_up_seconds": 120,
            "ports": {name: free_port() for name in ("gateway", "metrics", "flags", "sync", "operator", "ingest")},
        }
    )
    return made


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that other processes look for modules in before all others."""
    place = tmp_path / "modules"
    place.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(place))
    return place


@pytest.fixture
def fake_runtime(modules: Path) -> Path:
    """The package that is started as a runtime; a file `broken` or `loading` in it changes how it behaves."""
    package = modules / "pitwall_runtime"
    files.write_whole(package / "serve.py", RUNTIME)
    files.write_whole(package / "__init__.py", "")
    return package


@pytest.fixture
def leaves_nothing(tmp_path: Path) -> Iterator[None]:
    """Ends every process that the test's own state folder still lists."""
    yield
    for data in files.read_json(tmp_path / "state" / "run" / "processes.json", []):
        child.stop(data["pid"], data["created"], signal.SIGKILL)
    for pid, created in files.read_json(tmp_path / "state" / "run" / "services.json", {}).values():
        child.stop(pid, created, signal.SIGKILL)
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return
