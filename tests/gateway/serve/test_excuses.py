"""What a variant cannot fetch, load or store is its failure, and what it says of a video's server is its own word."""

import random
from dataclasses import dataclass, field

import pytest

from pitwall_crds.names import Arm, Metric
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.flags.assign import Assignment
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.serve import excuses
from pitwall_gateway.serve.excuses import Excuses
from pitwall_gateway.serve.relay import Relay
from pitwall_gateway.values.answer import Reply, VariantAnswer, VariantRefusal
from pitwall_gateway.values.question import Question
from pitwall_operator.gates import GateEvidence, StageContext, StageKind
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.counting.cursor import Cursor
from pitwall_operator.observe.scrape import parse

RUNS = {"sampler.variant": "run-1", "sampler.variant.shadow": "run-1"}
ANALYSIS = Analysis.model_validate(
    {
        "gates": [
            {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 200, "dependence": "Query"}
        ]
    }
)
(ERRORS,) = ANALYSIS.gates
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
def test_a_variant_that_blames_the_video_in_half_of_its_questions_has_errors(pit, duel, says):
    stable, candidate = duel("candidate", runs=RUNS, code="media_origin", details={"video": "film-1"})
    stable.details = {"video": "film-1"}
    for number in range(60):
        candidate.status = 424 if number % 2 else 200
        candidate.refuses_about = says
        assert pit.ask(f"user-{number}").status_code == 200

    excused = pit.metric(Metric.EVIDENCE_ABANDONED, **CANDIDATE, edge="+Inf")
    assert excused == excuses.FIRST + excuses.PART * 60
    assert pit.metric(Metric.EVIDENCE_QUERIES, **CANDIDATE, outcome="error") == 30 - excused


def test_copies_too(pit, duel):
    stable, candidate = duel("stable", runs=RUNS, shadow="aks-v2", status=404, code="media_missing")
    stable.details, candidate.refuses_about = {"video": "film-1"}, ""
    for number in range(40):
        pit.ask(f"user-{number}")
        pit.until(lambda asked=number: len(candidate.seen) > asked, "the copy")

    failed = {**CANDIDATE, "arm": "shadow", "outcome": "error"}
    pit.until(lambda: pit.metric(Metric.EVIDENCE_QUERIES, **failed) >= 10, "copies that count")


def test_an_arm_of_a_run_is_excused_for_its_own_questions_alone():
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


# --- films whose servers fail one request in ten ---

FILMS = 300
KNOWN = 600
"""Questions, of all arms, after which a pod asks a film's server again."""


@dataclass
class Servers:
    """Pods that know a film for a while. The candidate's has a tenth of the questions, and so knows fewer films.

    `cannot`: the part of all films that the candidate cannot read, and says that their servers do not give.
    """

    dice: random.Random
    flaky: float = 0.1
    cannot: float = 0.0
    asked: int = 0
    known: dict[tuple[bool, int], int] = field(default_factory=dict)

    async def ask(self, call: Call) -> Reply:
        self.asked += 1
        film, is_candidate = int(call.body), call.arm is Arm.CANDIDATE
        is_known = self.asked - self.known.get((is_candidate, film), -KNOWN) < KNOWN
        fails = not is_known and self.dice.random() < self.flaky
        if fails or (is_candidate and film < FILMS * self.cannot):
            return VariantRefusal(424, "its server does not give it", "media_origin", "")
        if not is_known:
            self.known[is_candidate, film] = self.asked
        return VariantAnswer(b"{}", {}, 0.1, video=f"film-{film}")

    def failed(self, call: Call) -> None:
        """A circuit would open; each question here is another user's."""


class Draws:
    """Arms by chance: a tenth each for candidate and control, the rest for stable."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def assign(self, _: str) -> Assignment:
        arm = self._dice.choices((Arm.CANDIDATE, Arm.CONTROL, Arm.STABLE), (1, 1, 8))[0]
        return Assignment(arm, "aks-v2" if arm is Arm.CANDIDATE else "uniform-v1", "SPLIT", "run-1")

    def meets(self, *_: object) -> None: ...

    def stable_variant(self) -> str:
        return "uniform-v1"


class NoSubstitutes:
    at_work = False

    def why_not_stable(self, _: Call) -> None: ...

    def comes_second(self, *_: object) -> bool:
        return False

    def tell(self, *_: object) -> None: ...

    def answered(self, *_: object) -> None: ...


async def judged(films: Servers, questions: int) -> GateEvidence:
    """The errors gate after so many questions, in blocks of five hundred."""
    telemetry, run = GatewayTelemetry(), counters.Run("uniform-v1", "aks-v2", "run-1")
    relay = Relay(Draws(films.dice), films, telemetry, RecentQuestions(4), 60.0, NoSubstitutes())
    evidence, cursor = GateEvidence.start(ERRORS, ANALYSIS), Cursor.from_state({})
    for number in range(questions):
        await relay.answer(Question(b"%d" % films.dice.randrange(FILMS), f"user-{number}", "", f"user-{number}"), {})
        if number % 500 == 499:
            counts = counters.totals(parse(telemetry.text().decode()), ERRORS, None, run)
            cursor, grown = cursor.advance(float(number), {"gateway": {ERRORS.name: counts}})
            evidence = evidence.update(grown[ERRORS.name])
    return evidence


@pytest.mark.parametrize("seed", range(2))
async def test_a_twin_whose_films_servers_fail_one_request_in_ten_is_not_off(seed):
    evidence = await judged(Servers(random.Random(seed)), 6000)

    assert evidence.assess(StageContext(StageKind.CANARY)).verdict is not Verdict.HARMFUL
    left = evidence.totals.abandoned
    assert left.candidate > 1.4 * left.control, "its pod had more films to fetch"


@pytest.mark.parametrize("seed", range(2))
async def test_a_candidate_that_cannot_read_half_of_the_films_is_off(seed):
    evidence = await judged(Servers(random.Random(seed), cannot=0.5), 3000)

    assert evidence.assess(StageContext(StageKind.CANARY)).verdict is Verdict.HARMFUL


async def test_one_that_cannot_read_a_few_and_blames_their_servers_does_not_pass():
    evidence = await judged(Servers(random.Random(1), flaky=0.0, cannot=0.05), 6000)

    assert evidence.totals.candidate.bad == 0, "all is excused"
    assert evidence.totals.abandoned.candidate > 10
    assert evidence.assess(StageContext(StageKind.CANARY)).verdict is Verdict.INCONCLUSIVE
