"""Lines of a decision record come in, every verdict computed anew beside the recorded one goes out. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pitwall_crds.rollout import Analysis, Verdict
from pitwall_operator.evidence.counts import Counts, Pairs, Tally
from pitwall_operator.gates.assessment import Assessment, StageContext, StageKind
from pitwall_operator.gates.evidence import GateEvidence

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Retraced:
    """One gate after one block: what the record says, and what its counts say when they are weighed again."""

    time: str
    stage: str
    gate: str
    verdict: Verdict
    message: str
    again: Assessment

    @property
    def agrees(self) -> bool:
        """Whether the record and its counts tell the same, to the letter."""
        return (self.verdict, self.message) == (self.again.verdict, self.again.message)


def retrace(lines: Iterable[Line], run: str) -> Iterator[Retraced]:
    """Every gate after every block of one run. Raises ValueError if the record does not hold the run's beginning.

    Of two blocks with the same `after` the later one counts: the earlier was lost with the status that it led to.
    """
    of_run = [line for line in lines if line["run"] == run]
    head = next((line for line in of_run if line["kind"] == "run"), None)
    if head is None:
        raise ValueError(f"the record has no beginning of run {run!r}, so its gates are unknown; use the whole file")
    analysis = Analysis.model_validate(head["analysis"])
    evidence = {gate.name: GateEvidence.start(gate, analysis) for gate in analysis.gates}
    blocks = {line["after"]: line for line in of_run if line["kind"] == "block"}
    for block in blocks.values():
        for name, counts in block["counts"].items():
            evidence[name] = evidence[name].update(_counts(counts))
        stage = StageContext(StageKind(block["stage"]["kind"]), block["stage"]["canary_index"])
        for name, said in block["gates"].items():
            verdict, again = Verdict(said["verdict"]), evidence[name].assess(stage)
            yield Retraced(block["time"], block["stage"]["name"], name, verdict, said["message"], again)


def _counts(line: Line) -> Counts:
    return Counts(Tally(**line["control"]), Tally(**line["candidate"]), Pairs(**line["pairs"]))
