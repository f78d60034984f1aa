"""`kubectl_complete-pitwall`: the program that kubectl runs to complete `kubectl pitwall …`."""

import shlex
import sys

import typer

from pitwall_operator.cli.app import app
from pitwall_operator.cli.commands.completion import answer_shell
from pitwall_operator.cli.sources.choose import PLUGIN

NO_FILES = ":4"
"""Cobra's directive that what was printed is all there is."""


def kubectl_complete() -> None:
    """`kubectl_complete-pitwall WORD…`: what could stand for the last word, a line each, as kubectl wants it."""
    *words, last = sys.argv[1:] or [""]
    sys.argv[0] = PLUGIN
    answer_shell(
        app,
        {
            "_PITWALL_COMPLETE": "complete_fish",  # word, tab, help: fish's format is Cobra's
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": f"{shlex.join(['pitwall', *words])} {shlex.quote(last) if last else ''}",
        },
    )
    typer.echo(NO_FILES)
