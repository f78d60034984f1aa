"""`pitwall ask VIDEO QUESTION`: runs the runtime's own command, since the operator cannot decode videos."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from pitwall_crds.builtin import DEFAULT_SAMPLER, SAMPLERS
from pitwall_crds.variant import AnswerEngine
from pitwall_operator.cli.commands.lifecycle import default_cache
from pitwall_operator.cli.context import Output, OutputOption, fail
from pitwall_operator.values.errors import Exit

MODULE = "pitwall_runtime.ask"


def ask(
    video: Annotated[str, typer.Argument(help="A film: path or URL.")],
    question: Annotated[str, typer.Argument(help="What to ask about it.")],
    sampler: Annotated[str, typer.Option(help=f"One of {', '.join(SAMPLERS)}.")] = DEFAULT_SAMPLER,
    max_frames: Annotated[int, typer.Option(min=1, max=1024, help="How many frames it may choose.")] = 8,
    engine: Annotated[AnswerEngine, typer.Option(help="Who answers.")] = AnswerEngine.MOMENTS,
    sheet: Annotated[Path | None, typer.Option(help="Save a contact sheet of the chosen frames (PNG).")] = None,
    cache: Annotated[
        Path | None, typer.Option(envvar="PITWALL_CACHE", help="Folder for frames and embeddings.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask one question about a film, here and now; prints the answer with times."""
    if importlib.util.find_spec("pitwall_runtime") is None or importlib.util.find_spec("torch") is None:
        fail("the runtime is not installed here: pip install 'pitwall[runtime]'", Exit.BAD_INPUT)
    arguments = ["--sampler", sampler, "--max-frames", str(max_frames), "--engine", engine, "--output", output]
    arguments += ["--cache-dir", str(cache or default_cache())]
    arguments += ["--sheet", str(sheet)] if sheet else []
    done = subprocess.run([sys.executable, "-m", MODULE, *arguments, "--", video, question], check=False)  # noqa: S603
    raise typer.Exit(done.returncode)
