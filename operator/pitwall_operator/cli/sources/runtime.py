"""Runs a command of the runtime in a process of its own, since the operator imports neither samplers nor decoders."""

import importlib.util
import subprocess
import sys
from typing import NoReturn

import typer

from pitwall_operator.cli.context import fail
from pitwall_operator.values.errors import Exit

MODULE = "pitwall_runtime"


def run_runtime(command: str, *arguments: str, needs: str = "numpy") -> NoReturn:
    """`pitwall-runtime COMMAND …`, and its exit status; says what to install where the runtime is not here."""
    if importlib.util.find_spec(MODULE) is None or importlib.util.find_spec(needs) is None:
        fail("the runtime is not installed here: pip install '.[runtime]' in your checkout of Pitwall", Exit.BAD_INPUT)
    done = subprocess.run([sys.executable, "-m", MODULE, command, *arguments], check=False)  # noqa: S603
    raise typer.Exit(done.returncode)
