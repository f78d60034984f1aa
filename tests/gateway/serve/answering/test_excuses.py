"""What a variant cannot load or store is its failure, and what it says of a video's server is its own word."""

import pytest

from pitwall_crds.names import Arm, Metric
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.serve.answering import excuses
from pitwall_gateway.serve.answering.excuses import Excuses
from pitwall_gateway.serve.settings import Rules

RUNS = {"sampler.variant": "run-1", "sampler.variant.shadow": "run-1"}
CANDIDATE = {"sampler_variant": "aks-v2", "arm": "candidate", "run": "run-1"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(503, "unavailable", id="its models are not loaded"),
        pytest.param(400, "media_refused", id="it may not read from this host"),
        pytest.param(507, "storage_full", id="its disk is read-only"),
        pytest.param(500, "internal_error", id="it broke before the film was there"),
        pytest.param(424, "its_own_code", id="it says nothing that is known"),
    ],
)
def test_what_a_variant_has_to_load_fetch_and_store_for_itself_is_its_error(pit, duel, status, code):
    """Of each failure before the film was there runtimes once said that its server had not given it."""
    stable, candidate = duel("candidate", runs=RUNS, status=status, code=code)
    stable.details, candidate.refuses_about = {"video": "film-1"}, ""

    for number in range(4):
        assert pit.ask(f"user-{number}").status_code == 200

    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 4


@pytest.mark.parametrize(
    "says", [pytest.param("", id="no film was given"), pytest.param("made up", id="another film was given")]
)
def test_a_variant_that_blames_the_video_in_half_of_its_questions_has_no_errors_and_was_not_in_time(pit, duel, says):
    stable, candidate = duel("candidate", runs=RUNS, code="media_origin", details={"video": "film-1"})
    stable.details = {"video": "film-1"}
    for number in range(60):
        candidate.status = 424 if number % 2 else 200
        candidate.refuses_about = says
        assert pit.ask(f"user-{number}").status_code == 200

    beyond = 30 - (excuses.FIRST + excuses.PART * 60)
    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 0
    assert pit.metric(Metric.EVIDENCE_EXCUSED, **CANDIDATE) == beyond
    assert pit.metric(Metric.EVIDENCE_ABANDONED, **CANDIDATE, edge="+Inf") == beyond


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(424, "media_origin", id="its server"),
        pytest.param(404, "media_missing", id="its address"),
        pytest.param(400, "host_unknown", id="the name of its host"),
        pytest.param(504, "deadline_exceeded", id="want of time"),
    ],
)
def test_copies_too(pit, duel, status, code):
    stable, candidate = duel("stable", runs=RUNS, shadow="aks-v2", status=status, code=code)
    stable.details, candidate.refuses_about = {"video": "film-1"}, ""
    for number in range(30):
        pit.ask(f"user-{number}")
        pit.until(lambda asked=number: len(candidate.seen) > asked, "the copy")

    copies = {**CANDIDATE, "arm": "shadow"}
    pit.until(lambda: pit.metric(Metric.EVIDENCE_EXCUSED, **copies) == 30 - excuses.FIRST - excuses.PART * 30, "all")
    assert pit.metric(Metric.EVIDENCE_QUERIES, **copies) == pit.metric(Metric.EVIDENCE_PAIRS, **copies) == 0


@pytest.mark.parametrize("deadline", [None, "3000"], ids=["in time", "in a hurry"])
@pytest.mark.parametrize("every", [1, 2])
def test_a_variant_that_still_prepares_every_film_has_no_errors_and_was_not_in_time(pit, duel, every, deadline):
    """Each is another film, which stable has: however many failed so, none counted anywhere."""
    rules = Rules(breaker=BreakerRule(failures=1_000), limits=CallLimits(answer_seconds=60))
    stable, candidate = duel("candidate", runs=RUNS, rules=rules, code="deadline_exceeded", details={"cache": "cold"})
    candidate.prepares = True
    for number in range(60):
        candidate.status = 200 if number % every else 504
        stable.details = {"video": f"film-{number}", "cache": "warm"}
        candidate.refuses_about = f"film-{number}"
        headers = {"pitwall-deadline-ms": deadline} if deadline else {}
        assert pit.ask(f"user-{number}", headers=headers).status_code == 200

    beyond = 60 / every - (excuses.FIRST + excuses.PART * 60)
    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 0
    assert pit.metric(Metric.EVIDENCE_EXCUSED, **CANDIDATE) == pytest.approx(beyond, abs=2)
    assert pit.metric(Metric.EVIDENCE_ABANDONED, **CANDIDATE, edge="+Inf") == pytest.approx(beyond, abs=2)


def test_copies_about_films_that_are_still_prepared_too(pit, duel):
    stable, candidate = duel("stable", runs=RUNS, shadow="aks-v2", status=504, code="deadline_exceeded")
    stable.details, candidate.prepares = {"video": "film-1", "cache": "warm"}, True
    candidate.refuses_about = "film-1"
    for number in range(30):
        pit.ask(f"user-{number}")
        pit.until(lambda asked=number: len(candidate.seen) > asked, "the copy")

    copies = {**CANDIDATE, "arm": "shadow"}
    pit.until(lambda: pit.metric(Metric.EVIDENCE_EXCUSED, **copies) == 30 - excuses.FIRST - excuses.PART * 30, "all")
    assert pit.metric(Metric.EVIDENCE_QUERIES, **copies) == pit.metric(Metric.EVIDENCE_PAIRS, **copies) == 0


def test_an_arm_of_a_run_is_believed_for_its_own_questions_alone():
    known, series = Excuses(), ArmSeries("aks-v2", Arm.CANDIDATE, "run-1")
    for _ in range(1000):
        known.asked(ArmSeries("uniform-v1", Arm.CONTROL, "run-1"))

    assert [known.takes(series) for _ in range(11)] == [True] * 10 + [False]
    for _ in range(5):
        known.asked(series)
    assert [known.takes(series), known.takes(series)] == [True, False]


def test_so_many_arms_are_remembered():
    known = Excuses()
    for number in range(excuses.ARMS + 5):
        known.asked(ArmSeries("aks-v2", Arm.CANDIDATE, f"run-{number}"))

    assert len(known._arms) == excuses.ARMS
