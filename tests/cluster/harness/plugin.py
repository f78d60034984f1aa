"""Runs our command line as a person has it: as kubectl's plugin on PATH, with a kubeconfig and no state folder."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from harness import forked

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
COMMAND_SECONDS = 240


def install(folder: Path) -> Path:
    """The programs that `pip install` makes, in a folder of their own."""
    folder.mkdir(exist_ok=True)
    for name, entry in tomllib.loads(PYPROJECT.read_text())["project"]["scripts"].items():
        module, _, function = entry.partition(":")
        program = folder / name
        program.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
        program.chmod(0o755)
    return folder


def in_namespace(kubeconfig: Path, namespace: str, copy: Path) -> Path:
    """A kubeconfig whose context names the namespace."""
    content = yaml.safe_load(kubeconfig.read_text())
    for entry in content["contexts"]:
        entry["context"]["namespace"] = namespace
    copy.write_text(yaml.safe_dump(content))
    return copy


def with_server(kubeconfig: Path, server: str, copy: Path) -> Path:
    """A kubeconfig of the same cluster by another way."""
    content = yaml.safe_load(kubeconfig.read_text())
    for entry in content["clusters"]:
        entry["cluster"]["server"] = server
    copy.write_text(yaml.safe_dump(content))
    return copy


def with_token(kubeconfig: Path, token: str, copy: Path) -> Path:
    """A kubeconfig of the same cluster for somebody else."""
    content = yaml.safe_load(kubeconfig.read_text())
    for entry in content["users"]:
        entry["user"] = {"token": token}
    copy.write_text(yaml.safe_dump(content))
    return copy


@dataclass(frozen=True, slots=True)
class Plugin:
    """`plugin("status")` is what `kubectl pitwall status` starts, in an empty folder."""

    programs: Path
    kubectl: Path
    kubeconfig: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.programs), str(self.kubectl.parent), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PITWALL")}
        return {**kept, "PATH": path, "KUBECONFIG": str(self.kubeconfig), **self.variables}

    def run(self, *command: str, answers: str | None = None) -> subprocess.CompletedProcess[str]:
        """Any command in this environment."""
        done = subprocess.run(
            list(command), env=self.environment, cwd=self.folder, input=answers or "",
            capture_output=True, check=False, text=True, timeout=COMMAND_SECONDS,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def __call__(self, *arguments: str, exits: int = 0) -> str:
        """What it prints, on either stream where it fails; the exit status must be the expected one."""
        words = (forked.PITWALL, "kubectl-pitwall", *arguments)
        done = forked.run(words, cwd=self.folder, env=self.environment, seconds=COMMAND_SECONDS)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == exits, f"exit status {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout if exits == 0 else done.stdout + done.stderr
