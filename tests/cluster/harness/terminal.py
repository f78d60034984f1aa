"""Runs commands as a person types them in a terminal, and keeps a transcript with their output."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Terminal:
    """Types into a shell in the plugin's folder; everything is kept in the transcript's file."""

    plugin: Plugin
    transcript: Path

    def __call__(self, command: str) -> str:
        """What it prints; fails where it does."""
        program, *arguments = shlex.split(command)
        assert program == "kubectl", f"only kubectl is typed here, not {program}"
        done = self.plugin.run(str(self.plugin.kubectl), *arguments)
        with self.transcript.open("a") as kept:
            kept.write(f"$ {command}\n{done.stdout}{done.stderr}\n")
        assert done.returncode == 0, f"{command}: exit status {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout
