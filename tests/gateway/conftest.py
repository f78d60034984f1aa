"""Fixtures: a gateway and its runtimes as real HTTP servers on free ports."""

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from pitwall_crds.host.sockets import listen
from pitwall_crds.names import FULL_WEIGHT, Arm
from pitwall_flags.flag.document import ArmShare, split_document
from pitwall_gateway.flags.port import FixedFlags, Flags
from pitwall_gateway.serve.app import build_app
from pitwall_gateway.serve.settings import GatewaySettings, Rules
from pitwall_gateway.serve.wiring import Wiring, assemble

QUESTION = {"model": "pitwall", "messages": [{"role": "user", "content": "When does the rabbit wake up?"}]}


class Server:
    """An ASGI application on a free port, in a thread of its own."""

    def __init__(self, app: Any, listener: socket.socket | None = None) -> None:
        self.listener = listener or listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Server":
        self._thread.start()
        until(lambda: self._server.started, "server to start")
        return self

    def ask_to_stop(self) -> None:
        self._server.should_exit = True

    def stop(self) -> None:
        self.ask_to_stop()
        self._thread.join(20)
        assert not self._thread.is_alive(), "the server hangs on shutdown"
        self.listener.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self.listener]))


@dataclass
class Runtime:
    """A tiny real runtime: answers with its name, and can be told to fail, to hang or to refuse."""

    name: str
    tokens: int = 100
    cache: str = "warm"
    status: int = 200
    words: str = ""
    code: str = "y"
    details: dict[str, Any] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    """Of its message, in place of its words."""
    refuses_about: str | None = None
    """What a refusal says of the video that was asked about."""
    prepares: bool = False
    """Whether it was still preparing that video."""
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    hangs: bool = False
    hangs_about: str = ""
    """Only of questions with these words."""
    fails_first: int = 0
    empty_first: int = 0
    left: int = 0
    server: Server | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/chat/completions")
        async def complete(request: Request) -> Any:
            question = await request.json()
            self.seen.append(question)
            self.headers.append(dict(request.headers))
            while self.hangs and self.hangs_about in str(question) and not self.release.is_set():
                if await request.is_disconnected():
                    self.left += 1
                    return JSONResponse({}, 499)
                await asyncio.sleep(0.01)
            if self.fails_first:
                self.fails_first -= 1
                return JSONResponse({"error": {"message": "not yet"}}, 500)
            if self.status != 200:
                told = (
                    {}
                    if self.refuses_about is None
                    else {"pitwall": {"video": self.refuses_about, "preparing": self.prepares}}
                )
                error = {"error": {"message": self.words, "type": "x", "code": self.code}}
                return JSONResponse({**error, **told}, self.status)
            answer = completion(self.name, self.tokens, self.cache)
            answer["pitwall"].update(self.details)
            answer["choices"][0]["message"].update({"content": ""} if self.empty_first else self.says)
            self.empty_first = max(0, self.empty_first - 1)
            return JSONResponse(answer)

        return app


def completion(name: str, tokens: int, cache: str) -> dict[str, Any]:
    """A chat completion as a runtime sends it."""
    message = {"role": "assistant", "content": f"at 12 s, says {name}"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": name,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens + 5},
        "pitwall": {"sampler_variant": name, "tokens": tokens, "cache": cache, "frames": [1.0]},
    }


def until(claim: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
    """Wait for a claim to become true, up to a deadline."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.01)


class Pit:
    """A running gateway with the runtimes it knows."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.routes = folder / "routes.json"
        self._stack = stack
        self._last_calls = contextlib.ExitStack()
        self.url = ""
        self.gateway: Server | None = None
        self.wiring: Wiring | None = None
        self.client = stack.enter_context(httpx.Client(timeout=20, trust_env=False))

    def runtime(self, name: str, **behaviour: Any) -> Runtime:
        """Start a runtime."""
        runtime = Runtime(name, **behaviour)
        runtime.server = self.serve(runtime.app())
        self._stack.callback(runtime.release.set)
        return runtime

    def serve(self, app: Any) -> Server:
        """Start any other application."""
        server = Server(app).start()
        self._stop_at_the_end(server)
        return server

    def route(self, variants: dict[str, dict[str, list[str]]]) -> None:
        """Write the routes file the way the platform does: in one step."""
        fresh = self.routes.with_suffix(".new")
        fresh.write_text(json.dumps({"variants": variants}))
        fresh.replace(self.routes)

    def open(self, flags: Flags, rules: Rules | None = None, *, shows_assignment: bool = True) -> Server:
        """Start the gateway; by default one that tells who answered."""
        settings = GatewaySettings(
            port=0, routes=self.routes, state_dir=self.folder, rules=rules or Rules(), shows_assignment=shows_assignment
        )
        self.wiring = assemble(settings, flags)
        server = Server(build_app(self.wiring)).start()
        self.url = server.url
        self.gateway = server
        self._stop_at_the_end(server)
        return server

    def _stop_at_the_end(self, server: Server) -> None:
        """All servers are told first, then waited for."""
        self._stack.callback(server.stop)
        self._last_calls.callback(server.ask_to_stop)

    def ask(self, user: str = "", headers: dict[str, str] | None = None, **extra: Any) -> httpx.Response:
        """Ask a question as this user."""
        body = {**QUESTION, **({"user": user} if user else {}), **extra}
        return self.client.post(self.url + "/v1/chat/completions", json=body, headers=headers)

    until = staticmethod(until)

    def close(self) -> None:
        """Tell every server to stop; leaving the stack waits for them."""
        self._last_calls.close()

    @contextlib.contextmanager
    def in_background(self, work: Callable[[], Any]) -> Iterator[Future[Any]]:
        """Do the work in another thread; its result is there when the block ends."""
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(work)

    def feedback(self, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """Send feedback."""
        return self.client.post(self.url + "/v1/feedback", json=body, headers=headers)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of a metric that carry these labels."""
        assert self.wiring is not None
        return sum_of(self.wiring.telemetry.text().decode(), name, labels)


def sum_of(text: str, name: str, labels: dict[str, str]) -> float:
    """The sum of matching samples in Prometheus' text."""
    total = 0.0
    for line in text.splitlines():
        match = re.fullmatch(re.escape(name) + r"(?:\{(.*)\})? (\S+)", line)
        if match and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', match[1] or "")).items():
            total += float(match[2])
    return total


class SplitFlags(FixedFlags):
    """Fixed flags whose documents are splits: `runs` gives a flag's salt, and may be changed while they are used."""

    def __init__(self, values: dict[str, tuple[str, str]], runs: dict[str, str]) -> None:
        super().__init__(values)
        self.runs = runs
        self._documents: dict[str, dict[str, Any]] = {}

    def document(self, key: str) -> object:
        salt = self.runs.get(key)
        if salt is None:
            return None
        if salt not in self._documents:
            self._documents[salt] = split_document([ArmShare(Arm.STABLE, "uniform-v1", FULL_WEIGHT)], salt=salt)
        return self._documents[salt]


@pytest.fixture
def split_flags() -> type[SplitFlags]:
    return SplitFlags


@pytest.fixture
def pit(tmp_path: Path) -> Iterator[Pit]:
    with contextlib.ExitStack() as stack:
        pit = Pit(tmp_path, stack)
        yield pit
        pit.close()


@pytest.fixture
def duel(pit: Pit) -> Callable[..., tuple[Runtime, Runtime]]:
    """A gateway that sends everybody to one arm, with a stable and a candidate runtime behind it."""

    def build(
        arm: str,
        *,
        shadow: str = "",
        rules: Rules | None = None,
        runs: dict[str, str] | None = None,
        shows: bool = True,
        **candidate: Any,
    ) -> tuple[Runtime, Runtime]:
        stable, fresh = pit.runtime("uniform-v1"), pit.runtime("aks-v2", **candidate)
        pit.route({"uniform-v1": {"stable": [stable.url]}, "aks-v2": {"candidate": [fresh.url]}})
        variant = "aks-v2" if arm == "candidate" else "uniform-v1"
        values = {"sampler.variant": (arm, variant), "sampler.variant.shadow": ("shadow", shadow)}
        pit.open(SplitFlags(values, runs or {}), rules, shows_assignment=shows)
        return stable, fresh

    return build
