"""Fixtures: a small HTTP gateway on a free port with prepared answers, which keeps every request."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from examples.demo.annotations import Annotations, load


class StandInGateway(ThreadingHTTPServer):
    """Answers as the gateway does: OpenAI shape, pitwall extension, x-pitwall-* headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GatewayHandler)
        self.answer: Any = None  # called with the request's body: (status, headers, body)
        self.asked: list[dict[str, Any]] = []
        self.feedback_status = 200
        self.feedback: list[dict[str, Any]] = []
        self.paths: set[str] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A user who hung up is no error of the gateway."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class GatewayHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandInGateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.paths.add(self.path)
        if self.path == "/v1/feedback":
            self.server.feedback.append(body)
            return self._send(self.server.feedback_status, {}, {})
        body["session"] = self.headers["x-pitwall-session"]
        self.server.asked.append(body)
        return self._send(*self.server.answer(body))

    def _send(self, status: int, headers: dict[str, str], body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "content-type": "application/json", "content-length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[StandInGateway]:
    with StandInGateway() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


@pytest.fixture(scope="session")
def film() -> Annotations:
    return load()
