"""Questions and copies that a candidate blames videos' servers for, beyond what counts nowhere: it is held."""

from dataclasses import replace

import pytest

from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.decision.weighing.closing import without_proof
from pitwall_operator.evidence.basis.counts import Abandoned, Counts, Pairs, Tally
from pitwall_operator.gates import GateEvidence
from pitwall_operator.gates.assessment import StageContext, StageKind

SHADOW, CANARY = StageContext(StageKind.SHADOW), StageContext(StageKind.CANARY)
BOTH = pytest.mark.parametrize("dependence", Dependence)
FAULT = "the candidate says the video's server was at fault, or the video not prepared yet; stable answered them; see "


LATENCY = {"name": "latency", "quantile": {"metric": "QueryLatency"}}
TOKENS = {"name": "tokens", "mean": {"metric": "TokensPerQuery"}}


def errors(**fields: object) -> Gate:
    return Gate.model_validate({"name": "errors", "rate": {"metric": "Errors"}, **fields})


def fed(gate: Gate, blocks: list[Counts]) -> GateEvidence:
    evidence = GateEvidence.start(gate, Analysis(gates=(gate,)))
    for block in blocks:
        evidence = evidence.update(block)
    return evidence


def copies(missing: int, of: int = 20, blocks: int = 150) -> list[Counts]:
    return [Counts(pairs=Pairs(of - missing), abandoned=Abandoned(copies=missing))] * blocks


LOOSE = {"absoluteMarginBasisPoints": 200}
"""Beside an arm without any failure no factor of failures is ever proven."""


def questions(missing: int, of: int = 50, blocks: int = 200) -> list[Counts]:
    left = Abandoned(candidate=missing, excused=missing)
    return [Counts(Tally(of), Tally(of - missing), stable=Tally(8 * of), shared=True, abandoned=left)] * blocks


@BOTH
def test_copies_that_are_missing_by_the_candidates_own_word_prove_no_harm_and_let_it_not_pass(dependence):
    gate = errors(dependence=dependence)
    told = fed(gate, copies(15)).assess(SHADOW)

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.message.startswith(f"of 2250 of 3000 copies {FAULT}")
    assert fed(gate, copies(0)).assess(SHADOW).verdict is Verdict.NON_INFERIOR


def test_a_candidate_of_which_no_copy_can_be_compared_is_told_why():
    told = fed(errors(), copies(20)).assess(SHADOW)

    assert told.verdict is Verdict.UNMEASURED
    assert told.message.startswith(f"of 3000 of 3000 copies {FAULT}")


@BOTH
@pytest.mark.parametrize("missing", [20, 45])
def test_questions_too(dependence, missing):
    told = fed(errors(dependence=dependence, **LOOSE), questions(missing)).assess(CANARY)

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.message.startswith(f"of {200 * missing} of 10000 questions {FAULT}")
    assert "left unanswered or blamed on videos" in told.message
    assert (told.missing_trials, told.is_fair) == (None, False), "no deadline flags it off, or promotes it"


def test_what_was_blamed_before_a_stage_began_is_nothing_against_it():
    gate = errors(**LOOSE)
    before = fed(gate, questions(20))
    after = before.renewed().update(replace(questions(0)[0], abandoned=Abandoned()))
    told, kept = after.assess(CANARY), GateEvidence.from_state(gate, after.analysis, after.to_state())

    assert not before.assess(CANARY).is_fair
    assert (told.verdict, told.is_fair, FAULT in told.message) == (Verdict.INCONCLUSIVE, True, False)
    assert kept.before == before.totals
    assert without_proof(before.to_state())["before"] == before.renewed().to_state()["before"]
    assert FAULT in after.update(questions(20)[0]).assess(CANARY).message


def test_who_begins_to_blame_servers_in_a_bake_is_told_although_it_was_proven_there():
    proven = fed(errors(**LOOSE), [replace(block, abandoned=Abandoned()) for block in questions(0)])
    later = proven.update(questions(30)[0]).assess(StageContext(StageKind.BAKE, 16))

    assert (later.verdict, later.blames, FAULT in later.message) == (Verdict.NON_INFERIOR, True, True)
    assert not proven.update(questions(30)[0]).assess(CANARY).blames


def test_who_answered_no_question_is_told_why():
    told = fed(errors(), questions(50)).assess(CANARY)

    assert (told.verdict, FAULT in told.message) == (Verdict.UNMEASURED, True)


def test_a_candidate_that_passes_is_told_nothing_of_it():
    few = [replace(block, abandoned=Abandoned()) for block in questions(1)] + questions(1, blocks=1)
    told = fed(errors(**LOOSE), few).assess(CANARY)

    assert (told.verdict, FAULT in told.message) == (Verdict.NON_INFERIOR, False)


def test_who_fails_more_often_than_it_blames_servers_is_inconclusive_for_that():
    left = Abandoned(candidate=3, excused=1)
    told = fed(errors(**LOOSE), [Counts(Tally(50, 1), Tally(50, 1), abandoned=left)] * 20).assess(CANARY)

    assert (told.verdict, told.is_fair, FAULT in told.message) == (Verdict.INCONCLUSIVE, True, False)


@pytest.mark.parametrize("gate", [LATENCY, TOKENS])
def test_gates_that_are_about_answers_say_nothing_of_copies_without_one(gate):
    assert FAULT not in fed(Gate.model_validate(gate), copies(15)).assess(SHADOW).message
