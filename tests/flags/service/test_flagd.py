"""flagd itself (Go) as a client: it follows our sync stream live and puts every user into the same arm."""

import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from pitwall_flags.client import FlagClient
from pitwall_flags.flag.flagset import FlagSet

pytestmark = pytest.mark.slow
FLAG = "sampler.variant"
USERS = [f"user-{number}" for number in range(1000)] + ["0", ".", "a" * 126, "b" * 400, "ü", "日本" * 70]


@pytest.fixture
def flagd(service, unused_tcp_port_factory) -> Iterator[str]:
    """flagd's OFREP address, its flags coming from our service."""
    if not shutil.which("flagd"):
        pytest.skip("flagd is not on the PATH")
    ports = {name: str(unused_tcp_port_factory()) for name in ("port", "management-port", "sync-port", "ofrep-port")}
    options = [part for name, port in ports.items() for part in (f"--{name}", port)]
    process = subprocess.Popen(
        ["flagd", "start", "--uri", f"grpc://{service.sync}", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{ports['ofrep-port']}"
    process.terminate()
    process.wait(20)


def arm(http: httpx.Client, user: str) -> str:
    try:
        answer = http.post(f"/ofrep/v1/evaluate/flags/{FLAG}", json={"context": {"targetingKey": user}})
    except httpx.TransportError:
        return "not up"
    return answer.json().get("variant", "none")


async def test_flagd_follows_a_live_change_and_agrees_on_every_user(service, split, eventually, flagd):
    client = FlagClient(service.url)
    who = {"actor": "test", "reason": "move the split"}
    await client.put(FLAG, split(0), expected_version=None, **who)
    with httpx.Client(base_url=flagd, timeout=30, trust_env=False) as http:
        eventually(lambda: arm(http, "user-1") == "stable", seconds=60)
        document = split(3000)
        flags = FlagSet({"flags": {FLAG: document}})
        first = next(user for user in USERS if flags.evaluate(FLAG, user, {}).variant == "candidate")
        await client.put(FLAG, document, expected_version=1, **who)
        eventually(lambda: arm(http, first) == "candidate", seconds=60)
        differing = [user for user in USERS if arm(http, user) != flags.evaluate(FLAG, user, {}).variant]
    assert [user for user in differing if user.isascii()] == []
    await client.close()
