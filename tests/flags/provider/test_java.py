"""Java: the published providers follow our flags live, in process with flagd's older buckets and by OFREP with ours."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmh3
import pytest

from pitwall_flags.client import FlagClient
from pitwall_flags.flag import bucket
from pitwall_flags.flag.document import read_split
from pitwall_flags.flag.flagset import FlagSet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
HERE = Path(__file__).parent / "java"
FLAG = "sampler.variant"
USERS = [f"user-{number}" for number in range(600)]
ODD_USERS = ["0", "false", "null", ".", "...|", "a" * 61, "a" * 126, "a" * 127, "b" * 400, "abcXYZ019-_@.: |~"]
TOKENS = {
    f"PITWALL_FLAGS_{scope}_TOKEN": f"{scope.lower()}-token-0123456789" for scope in ("EVALUATE", "WRITE", "KILL")
}


@pytest.fixture(scope="module")
def java(request: pytest.FixtureRequest) -> Path:
    """A folder with the compiled program and the published packages."""
    if not shutil.which("java") or not shutil.which("mvn"):
        pytest.skip("java and mvn are not installed")
    folder = request.config.cache.mkdir("pitwall-java")
    sources = [HERE / "pom.xml", HERE / "src/main/java/Follow.java"]
    wanted = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    built = folder / "built"
    if not built.exists() or built.read_text() != wanted:
        shutil.rmtree(folder / "target", ignore_errors=True)
        shutil.copytree(HERE, folder, dirs_exist_ok=True)
        build(folder)
        built.write_text(wanted)
    return folder


def build(folder: Path) -> None:
    """Compile from Maven's local repository, else from the network; skip when neither has the packages."""
    goals = ["compiler:compile", "dependency:copy-dependencies"]
    for mode in (["-o"], []):
        command = ["mvn", "-q", "-B", *mode, *goals]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=170, check=False)
        if done.returncode == 0:
            return
        assert "COMPILATION ERROR" not in done.stdout, done.stdout
    errors = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
    pytest.skip(f"mvn cannot get the pinned packages: {errors[:1]}")


class JavaFollower:
    """A Java process that evaluates one flag for many users."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def arms(self, users: list[str]) -> dict[str, str]:
        return {user: answer[0] for user, answer in self.evaluate(users).items()}

    def evaluate(self, users: list[str]) -> dict[str, list[str]]:
        """Variant, value and reason of each user."""
        return {user: self._ask(user) for user in users}

    def _ask(self, user: str) -> list[str]:
        self._process.stdin.write(f"{user}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n").split("\t")


@contextmanager
def following(folder: Path, kind: str, url: str) -> Iterator[JavaFollower]:
    classes = os.pathsep.join(["target/classes", "target/dependency/*"])
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, "Follow", kind, url, FLAG]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **TOKENS}, **streams)
    try:
        assert process.stdout.readline() == "ready\n"
        yield JavaFollower(process)
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def guarded(tmp_path, service_on):
    """A service that asks for tokens."""
    with service_on(tmp_path, environment=TOKENS) as started:
        yield started


async def write(service, document, version):
    client = FlagClient(service.url, token=TOKENS["PITWALL_FLAGS_WRITE_TOKEN"])
    try:
        await client.put(FLAG, document, expected_version=version, actor="test", reason="move the split")
    finally:
        await client.close()


def ours(document, users):
    flags = FlagSet({"flags": {FLAG: document}})
    return {user: flags.evaluate(FLAG, user, {}).variant for user in users}


def older(document, users):
    """Arms by flagd's formula of before 2026, the sign folded away: |hash| / (2³¹ - 1) of the text alone."""
    split = read_split(document)
    return {user: _older_arm(split, user) for user in users}


def _older_arm(split, user):
    text = bucket.hashed_text(bucket.prefix(split.salt), user)
    left = abs(mmh3.hash(text)) / (2**31 - 1) * 10_000
    for share in split.shares:
        left -= share.weight
        if left < 0:
            return share.arm
    return split.shares[-1].arm


async def test_java_by_ofrep_follows_a_live_change_and_agrees_on_every_user(guarded, java, split):
    await write(guarded, split(0), None)
    with following(java, "ofrep", guarded.url) as follower:
        for version, weight in enumerate([100, 3000], start=1):
            document = split(weight)
            await write(guarded, document, version)
            assert follower.arms(USERS[:300] + ODD_USERS) == ours(document, USERS[:300] + ODD_USERS)


async def test_java_in_process_follows_a_live_change_with_the_older_buckets(guarded, java, split, eventually):
    users = [*USERS, *ODD_USERS]
    await write(guarded, split(0), None)
    crossed: set[str] = set()
    with following(java, "flagd", f"grpc://{guarded.sync}") as follower:
        assert follower.evaluate(["user-1"])["user-1"][:2] == ["stable", "uniform-v1"]
        for version, weight in enumerate([300, 3000, 10_000], start=1):
            document = split(weight)
            await write(guarded, document, version)
            wanted = older(document, users)
            marker = next(user for user, arm in wanted.items() if arm == "candidate" and user not in crossed)
            eventually(lambda user=marker: follower.arms([user])[user] == "candidate")
            assert follower.arms(users) == wanted
            now = {user for user, arm in wanted.items() if arm == "candidate"}
            assert crossed <= now
            crossed = now
            assert (wanted == ours(document, users)) == (weight == 10_000)
