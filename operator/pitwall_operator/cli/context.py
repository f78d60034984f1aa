"""What every command needs: the state folder, the output format, and errors that end with a message and a code."""

import json
import os
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from pitwall_crds.rollout import Rollout
from pitwall_operator.place import Place
from pitwall_operator.resources import Resources

DEFAULT_STATE = ".pitwall"


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NOT_RUNNING = 3


class Output(StrEnum):
    """How a command prints."""

    TEXT = "text"
    JSON = "json"


StateOption = Annotated[
    Path,
    typer.Option("--state", envvar="PITWALL_STATE", help="Folder of the embedded mode.", show_default=True),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text, or json for programs.")]

PIPE_WIDTH = 200
"""Columns of a table that goes to a file or a program: wide enough not to fold."""

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console = Console(highlight=False, soft_wrap=True, width=PIPE_WIDTH)
problems = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """End the command with a message on standard error."""
    problems.print(f"[bold red]pitwall:[/] {message}" if problems.is_terminal else f"pitwall: {message}", markup=True)
    raise typer.Exit(code)


def default_state() -> Path:
    """The state folder that was not named."""
    return Path(os.environ.get("PITWALL_STATE", DEFAULT_STATE))


def resources(state: Path) -> Resources:
    """The resources of a state folder. Ends the command where there is none."""
    if not (state / "resources").is_dir():
        fail(
            f"{state} holds no resources: start with `pitwall up -f FILE`, or name the folder by --state",
            Exit.NOT_RUNNING,
        )
    return Resources(state)


def the_rollout(found: Resources, name: str | None) -> Rollout:
    """The named Rollout, or the only one. Ends the command where that is not clear."""
    rollouts = {rollout.metadata.name: rollout for rollout in found.rollouts()}
    if name is None and len(rollouts) == 1:
        return next(iter(rollouts.values()))
    if name in rollouts:
        return rollouts[name]
    known = ", ".join(rollouts) or "none"
    asked = f"Rollout {name!r} does not exist" if name else "there is more than one Rollout, or none"
    fail(f"{asked}; known: {known}", Exit.BAD_INPUT)


def place(state: Path) -> Place:
    """The state folder as its processes know it. Ends the command where nothing was ever started."""
    found = Place(state)
    if not found.settings():
        fail(f"nothing was started in {state}: `pitwall up -f FILE` starts it", Exit.NOT_RUNNING)
    return found


def print_json(data: Any) -> None:
    """Machine-readable output."""
    typer.echo(json.dumps(data, indent=2, default=str))


def print_lines(lines: Iterable[str]) -> None:
    """Human-readable output, without markup."""
    for line in lines:
        console.print(line, markup=False)
