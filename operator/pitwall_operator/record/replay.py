"""Recomputes every verdict of a decision record from its counts, and finds where that disagrees with what was recorded.

Pure: the record alone suffices, since a run's head holds the rules, and every block its counts and its stage.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import TailStatus
from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, OfOne, Pairs, Tally, UsersServed
from pitwall_operator.evidence.basis.spread import ArmsSpread, UserSpread
from pitwall_operator.gates import Assessment, GateEvidence, StageContext, StageKind
from pitwall_operator.gates.counting import outgrown
from pitwall_operator.gates.rule import FORMAT
from pitwall_operator.gates.sample_ratio import UNCOUNTED, SampleRatio, UsersBlock
from pitwall_operator.record.lines import Line
from pitwall_operator.record.runs import runs_of
from pitwall_operator.values.errors import UnreadableRecordError


@dataclass(frozen=True, slots=True)
class Replayed:
    """One block of one run, recomputed beside what was recorded."""

    run: str
    time: str
    stage: str
    recorded: Mapping[str, Any]
    assessments: Mapping[str, Assessment]
    told_of_users: Sequence[Sequence[str]]
    ratio: SampleRatio

    def disagreements(self) -> Iterator[str]:
        """What differs, one sentence each; numbers must be equal to the last digit. Raises UnreadableRecordError."""
        with _in_a_sentence():
            yield from self._disagreements()

    def _disagreements(self) -> Iterator[str]:
        for name, assessment in self.assessments.items():
            known = self.recorded[name]
            if known["verdict"] != assessment.verdict:
                yield f"{self.time} {name}: recorded {known['verdict']}, recomputed {assessment.verdict}"
            found = {reading.name: repr(reading.log_e) for reading in assessment.readings}
            for was in known["evidence"]:
                log_e = found.get(was["name"], "nothing")
                if was["logE"] != log_e:
                    yield f"{self.time} {name}: recorded {was['name']} log e {was['logE']}, recomputed {log_e}"
        if self.told_of_users != self.ratio.told():
            yield f"{self.time} users: recorded {self.told_of_users}, recomputed {self.ratio.told()}"


def _tail(recorded: Mapping[str, Any]) -> TailStatus | None:
    known = recorded.get("tail")
    # Before there was such a word all thresholds were the gates' own.
    return TailStatus.model_validate({"lowered": False, **known}) if known else None


def _counts(data: Mapping[str, Any]) -> Counts:
    control, candidate, stable, objective = (
        Tally(**data.get(arm, {})) for arm in ("control", "candidate", "stable", "objective")
    )
    edges = tuple(EdgeTallies(**{arm: Tally(**at[arm]) for arm in at}) for at in data.get("edges", ()))
    spreads = tuple(ArmsSpread(**{arm: UserSpread(**at[arm]) for arm in at}) for at in data.get("spreads", ()))
    pairs, abandoned = Pairs(**data["pairs"]), Abandoned(**data.get("abandoned", {}))
    shared, caches = data.get("shared", False), {arm: Tally(**at) for arm, at in data.get("caches", {}).items()}
    known = Counts(control, candidate, pairs, stable, objective, shared, edges, spreads)
    gross = EdgeTallies(**{arm: Tally(**at) for arm, at in data.get("gross", {}).items()})
    known = replace(known, abandoned=abandoned, caches=EdgeTallies(**caches), gross=gross)
    served = UsersServed(**{arm: Tally(**at) for arm, at in data.get("served", {}).items()})
    one = OfOne(**data.get("of_one", {}))
    return replace(known, uncompared=data.get("uncompared", 0), of_one=one, served=served)


@dataclass(slots=True)
class _Run:
    """The rules in force and every gate's evidence; both change during a run whose spec is edited."""

    raw: Mapping[str, Any]
    analysis: Analysis
    kept: dict[str, GateEvidence] = field(default_factory=dict)
    begun_after: Mapping[str, str] = field(default_factory=dict)
    proof_after: dict[str, str] = field(default_factory=dict)

    def follow(self, block: Line) -> None:
        """Take the block's rules; a gate that began anew is forgotten."""
        raw = block.get("analysis", self.raw)
        if raw != self.raw:
            self.raw, self.analysis = raw, Analysis.model_validate(raw)
        begun = {name: gate.get("begun_after", "") for name, gate in block["gates"].items()}
        self.kept = {name: known for name, known in self.kept.items() if self.begun_after.get(name) == begun.get(name)}
        self.begun_after = begun
        self._begin_proofs(block, after=False)

    def _begin_proofs(self, block: Line, *, after: bool) -> None:
        """Have gates prove anew whose stage began: with the block before this one, or with this one once it counted."""
        for name, gate in block["gates"].items():
            since = gate.get("proof_after", "")
            if self.proof_after.get(name, "") != since and (since == block["time"]) is after:
                self.proof_after[name] = since
                if name in self.kept:
                    self.kept[name] = self.kept[name].renewed()

    def end(self, block: Line) -> None:
        """What the block's decision changes for the next one."""
        self._begin_proofs(block, after=True)

    def evidence(self, counts: Mapping[str, Mapping[str, Any]]) -> dict[str, GateEvidence]:
        """Every gate after the block's counts. As in a status, only a gate that was counted takes to new margins."""
        found = {gate.name: self._under_rules(gate) for gate in self.analysis.gates}
        found |= {name: found[name].update(_counts(block)) for name, block in counts.items()}
        self.kept |= {name: one for name, one in found.items() if name in counts or name not in self.kept}
        return found

    def _under_rules(self, gate: Gate) -> GateEvidence:
        known = self.kept.get(gate.name)
        if known is not None and known.analysis == self.analysis:
            return known
        return GateEvidence.from_state(gate, self.analysis, known.to_state() if known else {})


def _replay_run(head: Line, blocks: Iterable[Line]) -> Iterator[Replayed]:
    if head.get("format", 1) != FORMAT:
        raise UnreadableRecordError(
            f"run {head['run']} was recorded in format {head.get('format', 1)}, this version replays format {FORMAT}; "
            "use the Pitwall that wrote it: 0.1 for format 1"
        )
    run, ratio = _Run(head["analysis"], Analysis.model_validate(head["analysis"])), UNCOUNTED
    for block in blocks:
        run.follow(block)
        evidence = run.evidence(block["counts"])
        users = block.get("users")
        if users:  # a split that comes back after a time without one goes on where it was
            ratio = ratio.update(UsersBlock.from_state(users))
        stage = StageContext(StageKind(block["stage"]["kind"]), block["stage"]["canary_index"])
        yield Replayed(
            run=head["run"],
            time=block["time"],
            stage=block["stage"]["name"],
            recorded=block["gates"],
            assessments={
                name: outgrown.assess(one, one.assess(stage), _tail(block["gates"].get(name, {})), stage)
                for name, one in evidence.items()
            },
            told_of_users=users["evidence"] if users else [],
            ratio=ratio if users else UNCOUNTED,
        )
        run.end(block)


def replay(lines: Iterable[Line]) -> Iterator[Replayed]:
    """Every block of every run that can be recomputed, as `missing` says which cannot. Raises UnreadableRecordError."""
    with _in_a_sentence():
        for run in runs_of(lines):
            if run.blocks:
                yield from _replay_run(run.head, run.blocks)


def missing(lines: Iterable[Line]) -> tuple[str, ...]:
    """What a record lacks, one sentence each: a lost database, or lines that were forgotten by age. Raises
    UnreadableRecordError."""
    with _in_a_sentence():
        return tuple(words for run in runs_of(lines) for words in run.told())


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Whatever keeps a line from being read is said as what it is: a record that is none, or was changed."""
    try:
        yield
    except UnreadableRecordError:
        raise
    except (KeyError, TypeError) as error:
        raise UnreadableRecordError(f"a line lacks {error}; is this a decision record of Pitwall?") from None
    except (ValueError, AttributeError, ArithmeticError) as error:  # other types, or numbers beyond all bounds
        raise UnreadableRecordError(f"a line was changed and cannot be read: {error}") from None
