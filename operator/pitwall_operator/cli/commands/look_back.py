"""Commands for the decision record: `pitwall record` prints it, `replay FILE` recomputes it, `plot FILE` draws it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pitwall_operator.cli.commands.act import FlagsOption
from pitwall_operator.cli.commands.show import NameArgument
from pitwall_operator.cli.context import Output, OutputOption, console, fail, pick, print_json
from pitwall_operator.cli.sources.port import ResourceSource
from pitwall_operator.values.errors import Exit

if TYPE_CHECKING:
    from pitwall_operator.record.lines import RecordFile

FileArgument = Annotated[Path, typer.Argument(help="A decision record, as `record` prints it.")]


def record(source: ResourceSource, rollout: NameArgument = None, flags: FlagsOption = None) -> None:
    """Print the decision record, one JSON object a line: every block, verdict and decision since the first run."""
    chosen = pick(source.rollouts(), rollout, source.place)
    for line in source.record(chosen, service=flags):
        typer.echo(json.dumps(line))


def _existing(file: Path) -> "RecordFile":
    from pitwall_operator.record.lines import RecordFile

    if not file.is_file():
        fail(f"{file} is not a file; `pitwall record ROLLOUT > FILE` writes one", Exit.BAD_INPUT)
    return RecordFile(file)


def replay(file: FileArgument, output: OutputOption = Output.TEXT) -> None:
    """Recompute every verdict from the recorded counts; exit status 1 if any differs. What is missing is told."""
    from pitwall_operator.record.replay import missing
    from pitwall_operator.record.replay import replay as recompute
    from pitwall_operator.values.errors import UnreadableRecordError

    try:
        lines = list(_existing(file).read())
        blocks, lacking = list(recompute(lines)), missing(lines)
        differences = [line for block in blocks for line in block.disagreements()]
    except UnreadableRecordError as error:
        fail(f"{file}: {error}", Exit.BAD_INPUT)
    verdicts = sum(len(block.assessments) for block in blocks)
    if output is Output.JSON:
        found = {"blocks": len(blocks), "verdicts": verdicts, "differences": differences, "missing": list(lacking)}
        print_json(found)
    else:
        for line in (*lacking, *differences[:20]):
            console.print(line, markup=False)
        console.print(f"{verdicts} verdicts in {len(blocks)} blocks recomputed, {len(differences)} differ")
    if not blocks:
        fail("; ".join((f"{file} holds no block to recompute", *lacking)), Exit.BAD_INPUT)
    if differences:
        raise typer.Exit(Exit.FAILED)


def plot(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG, SVG or PDF.")] = Path("evidence.png"),
) -> None:
    """Draw the evidence of the last run over time, per gate, with thresholds and stages."""
    if out.suffix not in {".png", ".svg", ".pdf"}:
        fail(f"{out} must end in .png, .svg or .pdf", Exit.BAD_INPUT)
    from pitwall_operator.record.plot import draw
    from pitwall_operator.values.errors import UnreadableRecordError

    try:
        draw(_existing(file).read(), out)
    except UnreadableRecordError as error:
        fail(f"{file}: {error}", Exit.BAD_INPUT)
    console.print(f"wrote {out}")
