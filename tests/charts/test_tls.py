"""The certificate and tokens that the chart makes, between the three processes that use them."""

import base64
import json
import re
import sys
from pathlib import Path

import pytest
from harness.processes import Process, until

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagsUnreachableError

pytestmark = pytest.mark.slow
READY = re.compile(r"flag service ready: http=127\.0\.0\.1:(\d+) sync=127\.0\.0\.1:(\d+)")
START_SECONDS = 120
DOCUMENT = {
    "state": "ENABLED", "variants": {"stable": "uniform-v1"}, "defaultVariant": "stable",
}  # fmt: skip


@pytest.fixture
def secrets(render):
    """What the chart makes, in bytes: the pair with its authority, and the tokens."""
    rendered = render("tls")
    made = (rendered.one("Secret", suffix)["data"] for suffix in ("-flags-tls", "-tokens"))
    return rendered, *({key: base64.b64decode(text) for key, text in data.items()} for data in made)


async def test_gateway_and_operator_follow_a_flag_service_by_the_charts_own_authority(secrets, tmp_path):
    rendered, pair, tokens = secrets
    for name, content in {**pair, "gateway.json": tokens["gateway.json"]}.items():
        (tmp_path / name).write_bytes(content)
    here = {"/etc/pitwall/tls": tmp_path, "/etc/pitwall/tokens": tmp_path, "0.0.0.0": "127.0.0.1"}
    ports = {
        "--http-port=8016": "--http-port=0",
        "--sync-port=8015": "--sync-port=0",
        "--metrics-port=9090": "--metrics-port=0",
    }
    arguments = [ports.get(word, word) for word in rendered.arguments("flags")]
    for there, place in here.items():
        arguments = [word.replace(there, str(place)) for word in arguments]
    environment = {
        f"PITWALL_FLAGS_{scope.upper()}_TOKEN": tokens[scope].decode() for scope in ("evaluate", "write", "kill")
    }
    environment["PITWALL_FLAGS_DATABASE"] = f"sqlite+aiosqlite:///{tmp_path}/flags.db"
    service = Process([sys.executable, "-m", "pitwall_flags.service", *arguments], tmp_path / "flags.log", environment)
    gateway = None
    try:
        service.start()
        until(lambda: READY.search(service.log.read_text()), seconds=START_SECONDS, what="the flag service")
        http, sync = READY.search(service.log.read_text()).groups()

        operator = FlagClient(
            f"https://localhost:{http}", token=tokens["write"].decode(), authority=tmp_path / "ca.crt"
        )
        for key in ("sampler.variant", "another.teams"):
            await operator.put(key, DOCUMENT, expected_version=None, actor="test", reason="a test")
        await operator.close()
        stranger = FlagClient(f"https://localhost:{http}", token=tokens["write"].decode())
        with pytest.raises(FlagsUnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.contents()
        await stranger.close()

        gateway = _gateway(tmp_path, sync, tokens["gateway"].decode()).start()
        known = tmp_path / "gateway" / "flags.json"
        until(lambda: known.exists() and _keys(known), seconds=START_SECONDS, what="the gateway's flags")
        assert _keys(known) == ["sampler.variant"], "its token is for its own flag alone"
    finally:
        for process in (gateway, service):
            if process is not None:
                process.stop()


def _gateway(folder: Path, sync: str, token: str) -> Process:
    state = folder / "gateway"
    command = [sys.executable, "-m", "pitwall_gateway", "--port", "0", "--no-authentication", "--routes", "routes.json"]
    command += ["--state-dir", state, "--flags-sync", f"localhost:{sync}", "--flags-authority", folder / "ca.crt"]
    return Process(command, folder / "gateway.log", {"PITWALL_FLAGS_EVALUATE_TOKEN": token})


def _keys(path: Path) -> list[str]:
    """The flags of a gateway's last known ones."""
    return sorted(json.loads(path.read_text()).get("flags", {}))
