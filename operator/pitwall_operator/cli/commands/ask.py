"""`pitwall ask VIDEO QUESTION`: runs the runtime's own command, since the operator cannot decode videos."""

from pathlib import Path
from typing import Annotated

import typer

from pitwall_crds.variant.builtin import DEFAULT_SAMPLER, SAMPLERS
from pitwall_crds.variant.variant import AnswerEngine
from pitwall_operator.cli.commands.lifecycle import default_cache
from pitwall_operator.cli.context import Output, OutputOption
from pitwall_operator.cli.sources.runtime import run_runtime


def ask(
    video: Annotated[str, typer.Argument(help="A film: path or URL.")],
    question: Annotated[str, typer.Argument(help="What to ask about it.")],
    sampler: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:PARAMETER=VALUE,…]",
            help=f"One of {', '.join(SAMPLERS)}, or a plug-in; again to compare. Default: {DEFAULT_SAMPLER}.",
        ),
    ] = None,
    max_frames: Annotated[int, typer.Option(min=1, max=1024, help="How many frames it may choose.")] = 8,
    engine: Annotated[AnswerEngine, typer.Option(help="Who answers.")] = AnswerEngine.MOMENTS,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="HOST[:PORT] to fetch from although it is private; may be repeated.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="Save a PNG: scores, shots, and what each sampler chose.")] = None,
    cache: Annotated[
        Path | None, typer.Option(envvar="PITWALL_CACHE", help="Folder for frames and embeddings.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask one question about a film, here and now; prints the answer with times."""
    arguments = [part for one in sampler or () for part in ("--sampler", one)]
    arguments += ["--max-frames", str(max_frames), "--engine", engine, "--output", output]
    arguments += ["--cache-dir", str(cache or default_cache())]
    arguments += ["--sheet", str(sheet)] if sheet else []
    arguments += [part for host in allow_host or () for part in ("--allow-host", host)]
    run_runtime("ask", *arguments, "--", video, question, needs="torch")
