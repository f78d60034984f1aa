"""A new package works at once: its tests pass, it installs, is found by its name, and its files are in order."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from pitwall_crds.reading.load import load_file
from pitwall_runtime.plugins.scaffold import main, new_sampler

BIN = Path(sys.executable).parent


def run(folder, *command, **environment):
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False, timeout=110,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "my-paper"
    new_sampler("my-paper", folder)
    return folder


def test_its_own_tests_pass(package):
    out = run(package, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio")
    assert "3 passed" in out


def test_it_installs_and_keeps_the_contract_under_its_name(package, tmp_path):
    run(package, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    path = f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}"
    listed = run(tmp_path, sys.executable, "-m", "pitwall_runtime", "catalogue", PYTHONPATH=path)
    told = run(tmp_path, sys.executable, "-m", "pitwall_runtime", "check-sampler", "my-paper", PYTHONPATH=path)

    assert re.search(r"^my-paper +alpha +The most relevant frame of each of K equal stretches\.", listed, re.MULTILINE)
    assert "BROKEN" not in told


def test_its_code_is_in_order(package):
    run(package, BIN / "ruff", "check", "--isolated", "--line-length", "120", "--select", "E,F,I,B,UP,RUF",
        "--config", 'lint.isort.known-first-party=["pitwall_runtime"]', ".")  # fmt: skip
    run(package, BIN / "ruff", "format", "--check", "--isolated", "--line-length", "120", ".")
    run(package, BIN / "hadolint", "Dockerfile")


def test_its_variant_can_be_applied_and_names_the_image(package):
    (variant,) = load_file(package / "variant.yaml")

    assert variant.spec.sampler.name == "my-paper"
    assert variant.spec.runtime.image == "registry.example/my-paper:0.1.0"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My Paper", "'My Paper' is no name for a sampler: only lower-case letters a to z, digits and '-' are allowed"),
        ("x" * 41, "it has 41 characters, at most 40 are allowed; choose one like my-paper"),
        ("-", "it must begin with a letter"),
        ("123", "it must begin with a letter, or YAML may read it as a number or a date"),
        ("1e5", "it must begin with a letter"),
        ("1-2-3", "it must begin with a letter"),
        ("a-", "it must end with a letter or a digit"),
        ("true", "YAML reads it as no text"),
        ("no", "YAML reads it as no text"),
        ("aks", "there is a sampler 'aks' already"),
        ("fine", "is not empty; choose a new folder with --folder"),
    ],
)
def test_what_cannot_be_written_is_told_and_nothing_is(name, words, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")

    assert main([f"--folder={tmp_path}", "--", name]) == 2
    assert words in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def test_it_asks_no_index_for_pitwall_itself(package):
    """A project of that name on PyPI is a stranger's."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]

    assert project["dependencies"] == []
    assert "not on PyPI" in (package / "README.md").read_text()
