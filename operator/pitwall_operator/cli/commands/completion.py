"""`pitwall completion SHELL`: prints the script that completes our commands in a shell."""

import contextlib
import os
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """Shells that can be served."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(ctx: typer.Context, shell: Annotated[Shell, typer.Argument(help="Which shell.")]) -> None:
    """Print a completion script: `source <(pitwall completion bash)`; kubectl's own completes `kubectl pitwall`."""
    answer_shell(ctx.find_root().command, {"_PITWALL_COMPLETE": f"source_{shell.value}"})


def answer_shell(command: Callable[..., object], question: dict[str, str]) -> None:
    """Print what a command line answers when a shell asks it through the environment."""
    os.environ |= question
    with contextlib.suppress(SystemExit):
        command(prog_name="pitwall")
