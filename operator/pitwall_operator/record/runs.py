"""Puts a decision record's lines together to runs, and tells what of them is missing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pitwall_operator.record.lines import Line

HEADLESS: Final[Line] = {}


@dataclass(slots=True)
class RecordedRun:
    """A run's head, and its blocks as far as they follow one another without a gap; `missing` says what lacks then."""

    run: str
    head: Line
    blocks: list[Line] = field(default_factory=list)
    missing: str = ""
    left_out: int = 0

    def add(self, block: Line) -> None:
        """One more block. Of two that follow the same block the later holds: a crash between record and status leaves
        the earlier behind."""
        if self.missing:
            self.left_out += 1
            return
        if self.blocks and self.blocks[-1]["after"] == block["after"]:
            self.blocks[-1] = block
            return
        before = self.blocks[-1]["time"] if self.blocks else ""
        if not self.head:
            self._leave_out("its head is missing")
        elif block["after"] != before:
            self._leave_out(f"the blocks between {before or 'its head'} and {block['time']} are missing")
        else:
            self.blocks.append(block)

    def _leave_out(self, why: str) -> None:
        self.missing, self.left_out = why, 1

    def told(self) -> Iterator[str]:
        """What is missing, if anything is, and how many blocks cannot be recomputed for that."""
        if self.missing:
            yield f"run {self.run}: {self.missing}, so {self.left_out} of its blocks cannot be recomputed"


def runs_of(lines: Iterable[Line]) -> tuple[RecordedRun, ...]:
    """Every run of a record, in the order of their heads."""
    open_runs: dict[str, RecordedRun] = {}
    found: list[RecordedRun] = []
    for line in lines:
        if line.get("kind") not in ("run", "block"):
            continue
        known = open_runs.get(line["run"])
        if line["kind"] == "run" and known is not None and not known.blocks and not known.missing:
            known.head = line  # a crash had the begin of the run decided again
        elif line["kind"] == "run" or known is None:
            known = open_runs[line["run"]] = RecordedRun(line["run"], line if line["kind"] == "run" else HEADLESS)
            found.append(known)
        if line["kind"] == "block":
            open_runs[line["run"]].add(line)
    return tuple(found)
