"""What the Dockerfiles promise: a pinned base, locked packages, an ordinary user, and a program that starts."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
IMAGES = sorted((ROOT / "images").glob("*.Dockerfile"))
COMPONENTS = [path.name.removesuffix(".Dockerfile") for path in IMAGES]
START = """
import importlib.abc, json, runpy, sys
missing = set(json.loads(sys.argv[1]))
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)
sys.meta_path.insert(0, Refuse())
module, sys.argv = sys.argv[2], [sys.argv[2], "--help"]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
"""Starts a module in an interpreter that has only what the image has."""


def instructions(component):
    """(instruction, text) of a Dockerfile, continued lines joined."""
    text = (ROOT / "images" / f"{component}.Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def pins(name):
    """Package → version of a lock."""
    return dict(
        re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE)
    )


def test_every_component_has_an_image():
    assert COMPONENTS == ["flags", "gateway", "operator", "runtime"]


@pytest.mark.parametrize("path", IMAGES, ids=COMPONENTS)
def test_hadolint_finds_nothing(path):
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, "--no-color", path], capture_output=True, check=False, text=True, timeout=60)

    assert (found.stdout, found.returncode) == ("", 0)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_base_is_pinned_by_a_digest_that_the_builder_gives(component):
    found = instructions(component)
    bases = [text.split()[0] for name, text in found if name == "FROM"]
    arguments = [text for name, text in found if name == "ARG"]

    assert set(bases) == {"${PYTHON_IMAGE}@${PYTHON_DIGEST}"}
    assert "PYTHON_DIGEST" in arguments, "it has no default: a wrong digest is worse than none"


@pytest.mark.parametrize("component", COMPONENTS)
def test_packages_come_locked_as_wheels_and_nothing_else_is_fetched(component):
    runs = " && ".join(text for name, text in instructions(component) if name == "RUN")
    commands = [command.strip() for command in runs.split("&&")]
    installs = [command for command in commands if " install " in command or " wheel " in command]
    fetching = [command for command in installs if "--no-index" not in command]

    assert fetching
    assert all("--require-hashes --no-deps --only-binary :all:" in command for command in fetching)
    assert not re.search(r"curl|wget|apt-get|apk |git |https?://", runs)
    assert not any(name == "ADD" for name, _ in instructions(component))


@pytest.mark.parametrize("component", COMPONENTS)
def test_it_runs_as_an_ordinary_user_and_says_its_ports(component):
    last_stage = instructions(component)
    while any(name == "FROM" for name, _ in last_stage[1:]):
        last_stage = last_stage[1:]

    assert last_stage[0][0] == "FROM"
    assert [text for name, text in last_stage if name == "USER"] == ["65532:65532"]
    assert [text for name, text in last_stage if name == "EXPOSE"]
    assert [name for name, _ in last_stage].count("ENTRYPOINT") == 1


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_is_copied_exists_and_is_not_ignored(component):
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [text.split()[:-1] for name, text in instructions(component) if name == "COPY" and "--from" not in text]
    sources = [source.rstrip("/") for sources in copied for source in sources]

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if source.split("/")[0] not in allowed] == []


@pytest.mark.parametrize("name", [*COMPONENTS, "build", "models"])
def test_a_lock_has_the_tested_versions_hashes_and_no_address(name):
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    tested = pins("dev") | pins("models")

    assert pins(name)
    assert {package: version for package, version in pins(name).items() if tested.get(package) != version} == {}
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))
    assert "://" not in text


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_entry_point_starts_with_the_images_packages_alone(component, tmp_path):
    (entry,) = [text for name, text in instructions(component) if name == "ENTRYPOINT"]
    program, option, module = json.loads(entry)
    there = {re.sub(r"[-_.]+", "-", package) for package in {**pins(component), "pitwall": ""}}
    distributions = importlib.metadata.packages_distributions()
    missing = [
        package
        for package, names in distributions.items()
        if not any(re.sub(r"[-_.]+", "-", name.lower()) in there for name in names)
    ]
    start = [sys.executable, "-c", START, json.dumps(missing), module]
    done = subprocess.run(start, capture_output=True, check=False, text=True, timeout=110, cwd=tmp_path)

    assert (program, option) == ("python3", "-m")
    assert "pytest" in missing
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_only_the_runtime_carries_torch():
    assert [component for component in COMPONENTS if "torch" in pins(component)] == ["runtime"]
