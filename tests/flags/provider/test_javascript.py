"""Another language: the published JavaScript packages follow our flags live, and agree on every user's arm."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pitwall_flags.client import FlagClient
from pitwall_flags.flag.flagset import FlagSet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
HERE = Path(__file__).parent / "javascript"
FLAG = "sampler.variant"
ALPHABET = "abcXYZ019-_@.: |~"
USERS = [f"user-{number}" for number in range(2000)]
ODD_USERS = [
    "0",
    "false",
    "null",
    ".",
    "...|",
    "a" * 61,
    "a" * 62,
    "a" * 125,
    "a" * 126,
    "a" * 127,
    "b" * 400,
    ALPHABET,
]


@pytest.fixture(scope="module")
def javascript(request: pytest.FixtureRequest) -> Path:
    """A folder with the published packages, as locked."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    folder = request.config.cache.mkdir("pitwall-javascript")
    lock = folder / "package-lock.json"
    fresh = (folder / "node_modules").is_dir() and lock.exists()
    if not fresh or lock.read_text() != (HERE / lock.name).read_text():
        for name in ("package.json", lock.name):
            shutil.copy(HERE / name, folder)
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm cannot install the locked packages: {done.stderr.strip().splitlines()[-1:]}")
    shutil.copy(HERE / "follow.js", folder)
    return folder


class JavaScriptFollower:
    """A Node.js process that evaluates one flag for many users."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def evaluate(self, users: list[str]) -> dict[str, list[str]]:
        self._process.stdin.write(json.dumps(users) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def following(folder: Path, kind: str, address: str) -> Iterator[JavaScriptFollower]:
    command = ["node", "follow.js", kind, address, FLAG]
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield JavaScriptFollower(process)
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


async def write(service, document, version):
    client = FlagClient(service.url)
    try:
        await client.put(FLAG, document, expected_version=version, actor="test", reason="move the split")
    finally:
        await client.close()


def ours(document, users):
    flags = FlagSet({"flags": {FLAG: document}})
    return {user: [(found := flags.evaluate(FLAG, user, {})).variant, found.value] for user in users}


@pytest.mark.parametrize("kind", ["flagd", "ofrep"])
async def test_javascript_follows_a_live_change_and_agrees_on_every_user(service, javascript, split, eventually, kind):
    await write(service, split(0), None)
    with following(javascript, kind, service.sync if kind == "flagd" else service.url) as follower:
        assert follower.evaluate(["user-1"])["user-1"][:2] == ["stable", "uniform-v1"]
        for version, weight in enumerate([100, 3000, 10_000], start=1):
            document = split(weight)
            await write(service, document, version)
            wanted = ours(document, USERS)
            marker = next(user for user, (arm, _) in wanted.items() if arm == "candidate")
            eventually(lambda user=marker: follower.evaluate([user])[user][0] == "candidate")
            users = [*USERS, *ODD_USERS] if kind == "flagd" else USERS[:200]
            theirs = {user: answer[:2] for user, answer in follower.evaluate(users).items()}
            assert theirs == ours(document, users)
