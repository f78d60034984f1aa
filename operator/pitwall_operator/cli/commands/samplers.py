"""`pitwall new-sampler`, `check-sampler` and `sample`: what authors of samplers need; the runtime does the work."""

from pathlib import Path
from typing import Annotated

import typer

from pitwall_operator.cli.context import Output, OutputOption
from pitwall_operator.cli.sources.runtime import run_runtime


def new_sampler(
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and '-'.")],
    folder: Annotated[Path | None, typer.Option(help="Where; a new folder of that name if left out.")] = None,
) -> None:
    """Write a package with a working sampler, its tests, a Dockerfile and a SamplerVariant."""
    run_runtime("new-sampler", *(("--folder", str(folder)) if folder else ()), "--", name)


def check_sampler(
    name: Annotated[str, typer.Argument(help="A sampler's name, or module:attribute.")],
    seconds: Annotated[float, typer.Option(help="That choosing from a film may take.")] = 5.0,
    ten_hours_seconds: Annotated[float, typer.Option(help="The same for ten hours of video.")] = 20.0,
    mebibytes: Annotated[float, typer.Option(help="Memory that choosing may take.")] = 1024.0,
    output: OutputOption = Output.TEXT,
) -> None:
    """Try a sampler in every situation that the contract names; exit status 1 if it breaks a rule."""
    limits = ("--seconds", str(seconds), "--ten-hours-seconds", str(ten_hours_seconds), "--mebibytes", str(mebibytes))
    run_runtime("check-sampler", *limits, "--output", output, "--", name)


def sample(
    scores: Annotated[Path, typer.Option(help="[N] relevance of each frame, .npy.")],
    sampler: Annotated[str, typer.Option(help="A sampler's name, or module:attribute.")],
    budget: Annotated[int, typer.Option(min=1, help="Frames to choose, K.")],
    embeddings: Annotated[Path | None, typer.Option(help="[N, D], .npy.")] = None,
    times: Annotated[Path | None, typer.Option(help="[N] seconds, .npy; one frame a second if left out.")] = None,
    shots: Annotated[Path | None, typer.Option(help="JSON: [[start, end], …] in frames.")] = None,
    question: Annotated[str, typer.Option(help="The words, for samplers that read them.")] = "",
    parameter: Annotated[list[str] | None, typer.Option(help="Of the sampler, NAME=VALUE; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed chooses the same.")] = 0,
) -> None:
    """Choose frames from plain arrays and print the selection as JSON."""
    files = {"--embeddings": embeddings, "--times": times, "--shots": shots}
    optional = [part for name, path in files.items() if path for part in (name, str(path))]
    optional += [part for one in parameter or () for part in ("--parameter", one)]
    required = ("--scores", str(scores), "--sampler", sampler, "--budget", str(budget))
    run_runtime("sample", *required, *optional, f"--question={question}", f"--seed={seed}")
