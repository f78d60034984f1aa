"""An API server of the test's own: real HTTP, answers by method and path, every call kept."""

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from pitwall_operator.kube.client import Kube, connect
from pitwall_operator.kube.fence import Fence

Answer = tuple[int, object]
"""Status and body; bytes go out as they are, all else as JSON."""


@dataclass
class ApiServer:
    """What it answers, and what it was asked."""

    answers: dict[tuple[str, str], Answer | Callable[[Any], Answer]] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""

    def on(self, method: str, path: str, status: int, body: object) -> None:
        """Answer like this from now on."""
        self.answers[(method, path)] = (status, body)

    def asked(self) -> list[tuple[str, str]]:
        """Methods and paths, in order."""
        return [(method, path) for method, path, _ in self.calls]

    def answer(self, method: str, target: str, body: Any) -> Answer:
        """The answer to one call."""
        path = target.partition("?")[0]
        self.calls.append((method, target, body))
        found = self.answers.get((method, target)) or self.answers.get((method, path))
        if callable(found):
            return found(body)
        return found or (404, {"kind": "Status", "message": f"{path} not found", "details": {"name": "x"}})


def _handler(server: ApiServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            with contextlib.suppress(OSError):  # whoever asked went away
                self._answer()

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            status, body = server.answer(self.command, self.path, json.loads(raw) if raw else None)
            if status == 0:  # hang up in the middle of the answer
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
                return
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 – http.server finds them by these names

        def log_message(self, *_: Any) -> None:
            return

    return Handler


class Calls:
    """Counts nothing."""

    def count(self, verb: str, resource: str) -> None:
        """One more call."""


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """A listening API server that knows nothing yet."""
    made = ApiServer()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kubeconfig(api, tmp_path):
    """A file by which the API server is found."""
    path = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": api.url}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
async def kube(kubeconfig):
    """A client of the API server that may change everything."""
    made: Kube = await connect(kubeconfig, Fence(lambda: True, Calls()))
    yield made
    await made.close()
