"""Shell completion: `pitwall completion SHELL`, and the program that kubectl asks for its plugin's words."""

import contextlib
import os
import shlex
import sys
from enum import StrEnum
from typing import Annotated

import typer

from pitwall_operator.cli.choose import PLUGIN

NO_FILES = ":4"
"""Cobra's directive that what was printed is all there is."""


class Shell(StrEnum):
    """Shells that can be served."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Which shell.")]) -> None:
    """Print a completion script: `source <(pitwall completion bash)`; kubectl's own completes `kubectl pitwall`."""
    _answer_shell({"_PITWALL_COMPLETE": f"source_{shell.value}"})


def kubectl_complete() -> None:
    """`kubectl_complete-pitwall WORD…`: what could stand for the last word, a line each, as kubectl wants it."""
    *words, last = sys.argv[1:] or [""]
    sys.argv[0] = PLUGIN
    _answer_shell(
        {
            "_PITWALL_COMPLETE": "complete_fish",  # word, tab, help: fish's format is Cobra's
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": f"{shlex.join(['pitwall', *words])} {shlex.quote(last) if last else ''}",
        }
    )
    typer.echo(NO_FILES)


def _answer_shell(question: dict[str, str]) -> None:
    """What the command line prints when a shell asks it through the environment."""
    from pitwall_operator.cli.app import app

    os.environ |= question
    with contextlib.suppress(SystemExit):
        app(prog_name="pitwall")
