"""The command line within this process: what was printed, and how it ended."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pitwall_crds.reading.load import load_file
from pitwall_operator.cli.app import main
from pitwall_operator.machine.resources import Resources

EXAMPLES = Path(__file__).parents[3] / "examples"


@dataclass(frozen=True)
class SaidOnTerminal:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def say(monkeypatch, capsys, tmp_path) -> Callable[..., SaidOnTerminal]:
    """Runs a command line in an empty folder; whatever it meets must end in a sentence, so nothing may be raised."""
    monkeypatch.chdir(tmp_path)
    for name in ("PITWALL_STATE", "KUBECONFIG", "PITWALL_FLAGS", "PITWALL_GRAFANA_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> SaidOnTerminal:
        monkeypatch.setattr(sys, "argv", ["pitwall", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os.environ.pop("_PITWALL_COMPLETE", None)  # a question of a shell, which `completion` asks itself
        out, err = capsys.readouterr()
        return SaidOnTerminal(code, out, err)

    return run


@pytest.fixture
def stored(tmp_path) -> Resources:
    """The folder `.pitwall` with the examples in it."""
    made = Resources(tmp_path / ".pitwall")
    for name in ("variants.yaml", "rollout.yaml"):
        for resource in load_file(EXAMPLES / name):
            made.apply(resource)
    return made


@pytest.fixture
def as_file(tmp_path) -> Callable[..., Path]:
    """Writes text, or data as YAML, to a file."""

    def write(content: object, name: str = "given.yaml") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write
