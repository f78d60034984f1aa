"""What happened, in sentences, for every phase that a rollout can stand in."""

import math

import pytest

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import GateStatus, HistoryEntry, Phase, ProcessStatus, TailStatus, Verdict
from pitwall_operator.record import explain


def standing(world, **status) -> str:
    found = world.rollout.model_copy(update={"status": world.status.model_copy(update=status)})
    return " ".join(explain.standing(found))


MOVING = "aks-v1 is on its way to replace uniform-v1: stage 1%. Verdict so far: Inconclusive. because"


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Phase.PENDING, "uniform-v1 shall serve sampler.variant; nothing serves yet. because"),
        (Phase.STABLE, "uniform-v1 serves everybody of sampler.variant."),
        (Phase.FLAGGED_OFF, "uniform-v1 is off (FlaggedOff); uniform-v1 serves everybody. because"),
        (Phase.ABORTED, "uniform-v1 is off (Aborted); uniform-v1 serves everybody. because"),
        (Phase.SHADOW, MOVING),
        (Phase.CANARY, MOVING),
        (Phase.BAKE, MOVING),
    ],
)
def test_where_it_stands(world, phase, words):
    more = {"reason": "because", "candidate_variant": "aks-v1", "stage": "1%", "verdict": Verdict.INCONCLUSIVE}

    assert standing(world, phase=phase, **more) == words


def test_a_kill_and_what_is_refused_are_part_of_the_story(world):
    """Whoever asks what goes on must not have to look for the conditions."""
    world.kill()
    world.failures = ("run 1 main replica(s) of aks-v1: forbidden",)
    world.turn()
    told = tuple(explain.standing(world.rollout))

    assert told[1].startswith("Killed: the flag sampler.variant is killed (version 9): uniform-v1 serves everybody")
    assert told[2] == "Applied: run 1 main replica(s) of aks-v1: forbidden"


def test_evidence_of_a_run_that_has_ended_says_whose_it_is(world):
    world.to_canary()
    assert explain.heading(world.rollout) == "Evidence"
    world.point_at("uniform-v1")
    world.turn()

    assert explain.heading(world.rollout) == "Evidence of the last run, about aks-v1"


def test_every_phase_has_a_sentence(world):
    assert all(standing(world, phase=phase) for phase in Phase)


@pytest.mark.parametrize(
    ("log_e", "words"),
    [
        (0.0, "e=1"),
        (math.log(9.96), "e=10"),
        (math.log(412), "e=412"),
        (math.log(9999), "e=9999"),
        (math.log(3e12), "e=3e+12"),
        (-3.0, "e=0.05"),
        (1e9, "e=1e+304"),
        (math.inf, "e=1e+304"),
        (-math.inf, "e=0"),
    ],
)
def test_an_e_value_as_people_read_it(log_e, words):
    assert explain.odds(log_e) == words


def process(name: str, log_e: str, *, acting: bool = True) -> ProcessStatus:
    return ProcessStatus(name=name, log_e=log_e, log_threshold="4.6", acting=acting)


def test_a_gate_tells_each_process_and_how_far_it_is_from_proof():
    gate = GateStatus(
        name="errors",
        verdict=Verdict.INCONCLUSIVE,
        message="2 of 10",
        evidence=(process("harm", "0.0"), process("non-inferiority", "5.0"), process("aa", "-inf", acting=False)),
        tail=TailStatus(control="1.016", candidate="1.0"),
    )

    assert list(explain.gate_lines(gate)) == [
        "errors: Inconclusive – 2 of 10",
        "    harm: e=1, proof from e=99",
        "    non-inferiority: e=148, proven",
        "    aa: e=0, proof from e=99 (shown only)",
        "    a query counts as slow beyond 1.016 s in the control and 1 s in the candidate; frozen before the run",
    ]


def test_a_gate_that_saw_nothing_says_so():
    assert list(explain.gate_lines(GateStatus(name="errors"))) == ["errors: Unmeasured – nothing seen yet"]


def test_a_story_has_its_parts_and_leaves_out_what_there_is_not(world):
    told = explain.story(world.rollout, [])
    assert "Evidence" not in told
    assert told[0] == "uniform-v1 serves everybody of sampler.variant."
    assert any("Promoted" in line for line in told[told.index("What happened") :])

    world.to_canary()
    told = explain.story(world.rollout, [])
    assert told.index("Evidence") < told.index("What happened")
    assert not any("blocks were weighed" in line for line in told)


ADVICE = "  gate errors: absoluteMarginBasisPoints 0: errors normally never happen"


def in_phase(phase: str, margin: int) -> Rollout:
    errors = {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": margin}
    stages = [{"weightBasisPoints": weight} for weight in (100, 10_000)]
    spec = {"flag": "f", "variantRef": {"name": "v"}, "stages": stages, "analysis": {"gates": [errors]}}
    return Rollout.model_validate({"metadata": {"name": "r"}, "spec": spec, "status": {"phase": phase}})


@pytest.mark.parametrize("phase", ["Shadow", "Canary", "Bake"])
def test_advice_stands_in_the_story_while_a_candidate_moves(phase):
    told = explain.story(in_phase(phase, margin=0), ())

    assert told[told.index("Advice") + 1].startswith(ADVICE)
    assert "Advice" not in explain.story(in_phase(phase, margin=100), ())


@pytest.mark.parametrize("phase", ["Pending", "Stable", "FlaggedOff", "Aborted", "Invalid"])
def test_advice_is_spared_where_nothing_is_weighed(phase):
    assert "Advice" not in explain.story(in_phase(phase, margin=0), ())


def line(after: str, trials: int, run: str = "r") -> dict:
    counts = {"errors": {"candidate": {"trials": trials}}, "latency": {"candidate": {"trials": trials // 2}}}
    return {"kind": "block", "run": run, "after": after, "counts": counts}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param([], "0 blocks were weighed; the candidate answered 0 questions", id="nothing"),
        pytest.param([line("", 10), line("a", 20)], "2 blocks were weighed; the candidate answered 30", id="two"),
        pytest.param([line("", 10), line("", 12)], "1 blocks were weighed; the candidate answered 12", id="a crash"),
        pytest.param([line("", 10, run="old")], "0 blocks were weighed", id="another run"),
        pytest.param([{"kind": "run", "run": "r"}, {"kind": "decision"}], "0 blocks were weighed", id="other lines"),
        pytest.param([{"kind": "block", "run": "r", "after": "", "counts": {}}], "1 blocks were weighed", id="no gate"),
    ],
)
def test_how_much_a_run_has_looked_at(lines, words):
    assert explain.seen(lines, "r").startswith(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (7199, "119m"),
        (7200, "2h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (-5, "0s"),
    ],
)
def test_an_age_as_kubectl_writes_it(seconds, words):
    assert explain.age("2026-01-01T00:00:00.000Z", 1_767_225_600.0 + seconds) == words


def test_an_age_of_nothing_is_none():
    assert explain.age("", 1e9) == "0s"


def test_the_reason_column_is_the_reason_or_the_phase(world):
    reasoned = world.rollout.model_copy(update={"status": world.status.model_copy(update={"reason": "3 of 10 pods"})})
    silent = world.rollout.model_copy(update={"status": world.status.model_copy(update={"reason": ""})})

    assert explain.column_reason(reasoned) == "3 of 10 pods"
    assert explain.column_reason(silent) == "Stable"


def test_the_timeline_is_told_oldest_first(world):
    entries = tuple(HistoryEntry(time=f"t{n}", reason="Promoted", message=f"m{n}") for n in range(3))
    found = world.rollout.model_copy(update={"status": world.status.model_copy(update={"history": entries})})

    assert list(explain.timeline(found)) == ["t0  Promoted: m0", "t1  Promoted: m1", "t2  Promoted: m2"]


def moving(missing: dict[str, int], phase: str = "Canary", on_harm: str = "FlagOff") -> Rollout:
    gates = [{"name": name, "rate": {"metric": "Errors"}, "onHarm": on_harm} for name in missing]
    stages = [{"weightBasisPoints": weight} for weight in (100, 10_000)]
    spec = {"flag": "f", "variantRef": {"name": "v"}, "stages": stages, "analysis": {"gates": gates}}
    status = {
        "phase": phase,
        "runId": "r",
        "stageStartTime": "2026-01-01T00:00:00.000Z",
        "gates": [{"name": name, "missingTrials": trials} for name, trials in missing.items()],
    }
    return Rollout.model_validate({"metadata": {"name": "r"}, "spec": spec, "status": status})


def block(minute: int, trials: int) -> dict:
    counts = {"candidate": {"trials": trials}, "pairs": {"total": 2 * trials}}
    time = f"2026-01-01T00:{minute:02}:00.000Z"
    return {"kind": "block", "run": "r", "after": time, "time": time, "counts": {"a": counts, "b": counts}}


@pytest.mark.parametrize(
    ("rollout", "words"),
    [
        (moving({"a": 300, "b": 100}), "At the present rates this stage needs about 5 hours more, for a."),
        (moving({"a": 300, "b": 100}, "Shadow"), "At the present rates this stage needs about 2 hours more, for a."),
        (moving({"a": 0, "b": -1}), ""),
        (moving({"a": 300}, "Bake"), ""),
        (moving({"a": 300}, on_harm="Observe"), ""),
    ],
)
def test_how_much_longer_a_stage_needs(rollout, words):
    lines = [block(0, 999), block(10, 4), block(20, 16)]  # the first one belongs to the stage before

    assert explain.remaining(rollout, lines) == words
    assert explain.remaining(rollout, []) == ""
    assert (f"  {words}" in explain.story(rollout, lines)) == bool(words)
