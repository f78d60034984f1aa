"""Ports of a turn that write down what they are told, and fail as told."""

import json

import httpx
import pytest


class RecordedFlags:
    """A flag service that holds what is written, and answers as told."""

    def __init__(self) -> None:
        self.known: dict[str, dict] = {}
        self.status = 200
        self.lines: list[dict] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/v1/journal/"):
            return self._journal(request)
        key = request.url.path.removeprefix("/v1/flags/")
        if self.status != 200:
            return httpx.Response(self.status, json={"error": f"answer {self.status}"})
        if request.url.path == "/v1/flags":
            return httpx.Response(200, json={"flags": list(self.known.values()), "gone": [], "revision": 1})
        if request.method == "PUT":
            body = json.loads(request.content)
            version = self.known.get(key, {"version": 0})["version"] + 1
            self.known[key] = {"key": key, "version": version, "killed": False, **body}
        if key not in self.known:
            return httpx.Response(404, json={"error": "no such flag"})
        return httpx.Response(200, json=self.known[key])

    def _journal(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.lines += json.loads(request.content)["lines"]
        return httpx.Response(200, json={"lines": self.lines, "last": len(self.lines), "more": False})


class RecordedEffects:
    """A platform and an announcer that write down what they are told."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.trouble: Exception | None = None

    async def pools(self):
        return {}

    async def run(self, variant, revision, pool, replicas):
        if self.trouble:
            raise self.trouble
        self.done.append(("run", variant, revision, pool, replicas))

    async def drain(self, variant, pool):
        self.done.append(("drain", variant, pool))

    def announce(self, effect):
        self.done.append(effect)


@pytest.fixture
def flags() -> RecordedFlags:
    return RecordedFlags()


@pytest.fixture
def recorded() -> RecordedEffects:
    return RecordedEffects()
