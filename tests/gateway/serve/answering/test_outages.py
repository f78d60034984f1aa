"""Films whose servers fail or are away, while pods know some of them: who passes, is held and is flagged off."""

import math
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from stand_ins import NoSubstitutes

from pitwall_crds.names import Arm
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.flags.assign import Assignment
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.serve.answering.relay import Relay
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.question import Question
from pitwall_operator.gates import GateEvidence, StageContext, StageKind
from pitwall_operator.gates.assessment import Assessment
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.counting.cursor import Cursor
from pitwall_operator.observe.scrape import parse

ANALYSIS = Analysis.model_validate(
    {
        "gates": [
            {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 200, "dependence": "Query"}
        ]
    }
)
(ERRORS,) = ANALYSIS.gates
FILMS = 300
KNOWN = 600
"""Questions, of all arms, after which a pod asks a film's server again that answers."""


@dataclass
class Servers:
    """Pods that know a film for a while. The candidate's has a tenth of the questions, and so knows fewer films.

    `cannot`: the part of all films that the candidate cannot read, and says that their servers do not give. `away`:
    after so many questions no server answers any more, as `status` and `code` tell, and what pods know they keep.
    `long`: the part of all films that the candidate prepares for `takes` questions, of all arms, while stable has them.
    """

    dice: random.Random
    flaky: float = 0.0
    cannot: float = 0.0
    away: float = math.inf
    status: int = 424
    code: str = "media_origin"
    long: float = 0.0
    takes: float = 300
    began: dict[int, int] = field(default_factory=dict)
    asked: int = 0
    known: dict[tuple[bool, int], float] = field(default_factory=dict)

    async def ask(self, call: Call) -> Reply:
        self.asked += 1
        film, is_candidate = int(call.body), call.arm is Arm.CANDIDATE
        if is_candidate and film < FILMS * self.long and self._is_preparing(film):
            late = VariantFailure(FailureKind.STATUS, "deadline_exceeded", late=True, preparing=True)
            return replace(late, video=f"film-{film}")
        since, is_away = self.known.get((is_candidate, film), -math.inf), self.asked > self.away
        is_known = since > -math.inf if self.away < math.inf else self.asked - since < KNOWN
        fails = not is_known and (is_away or self.dice.random() < self.flaky)
        if fails or (is_candidate and film < FILMS * self.cannot):
            return VariantRefusal(self.status, "its server does not give it", self.code, "")
        if not is_known:
            self.known[is_candidate, film] = self.asked
        return VariantAnswer(b"{}", {}, 0.1, cache="warm", video=f"film-{film}")

    def _is_preparing(self, film: int) -> bool:
        return self.asked - self.began.setdefault(film, self.asked) < self.takes

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


async def judged(films: Servers, questions: int) -> tuple[GateEvidence, Assessment]:
    """The errors gate after so many questions, in blocks of two hundred and fifty."""
    telemetry, run = GatewayTelemetry(), counters.Run("uniform-v1", "aks-v2", "run-1")
    relay = Relay(Draws(films.dice), films, telemetry, RecentQuestions(4), 60.0, NoSubstitutes())
    evidence, cursor = GateEvidence.start(ERRORS, ANALYSIS), Cursor.from_state({})
    for number in range(questions):
        await relay.answer(Question(b"%d" % films.dice.randrange(FILMS), f"user-{number}", "", f"user-{number}"), {})
        if number % 250 == 249:
            counts = counters.totals(parse(telemetry.text().decode()), ERRORS, None, run)
            cursor, grown = cursor.advance(float(number), {"gateway": {ERRORS.name: counts}})
            evidence = evidence.update(grown[ERRORS.name])
    return evidence, evidence.assess(StageContext(StageKind.CANARY))


def seeds(count: int, *, in_soak: int) -> list[Any]:
    """So many, of which the last are left to `make soak`."""
    return [pytest.param(seed, marks=[] if seed < count - in_soak else pytest.mark.soak) for seed in range(count)]


@pytest.mark.parametrize(("status", "code"), [(424, "media_origin"), (400, "host_unknown")])
@pytest.mark.parametrize("seed", seeds(6, in_soak=4))
async def test_a_twin_is_not_off_while_no_video_has_a_server(seed, status, code):
    """Stable's pods have the films that they had for a day; the candidate's had time for some of them."""
    films = Servers(random.Random(seed), away=1000 * (1 + seed % 3), status=status, code=code)
    films.known = {(False, film): 0.0 for film in range(FILMS)}
    evidence, told = await judged(films, int(films.away) + 4000)

    assert evidence.totals.candidate.bad == evidence.totals.control.bad == 0
    assert told.verdict is not Verdict.HARMFUL


@pytest.mark.parametrize("seed", seeds(2, in_soak=1))
async def test_a_twin_whose_films_servers_fail_one_request_in_ten_passes(seed):
    evidence, told = await judged(Servers(random.Random(seed), flaky=0.1), 12_000)

    assert told.verdict is Verdict.NON_INFERIOR
    assert evidence.totals.abandoned.candidate == 0, "it blames servers less often than a fifth"


@pytest.mark.parametrize("cannot", [0.5, pytest.param(0.95, marks=pytest.mark.soak), 1.0])
async def test_a_candidate_that_can_read_hardly_any_film_is_held_and_not_off(cannot):
    evidence, told = await judged(Servers(random.Random(1), cannot=cannot), 6000)

    assert evidence.totals.candidate.bad == 0
    assert told.verdict is (Verdict.UNMEASURED if cannot == 1 else Verdict.INCONCLUSIVE)
    excused = evidence.totals.abandoned.excused
    assert f"of {excused} of " in told.message
    assert "the candidate says the video's server was at fault, or the video not" in told.message


async def test_one_that_cannot_read_a_few_of_them_and_blames_their_servers_passes():
    """The price: what a variant says of servers is its own word."""
    evidence, told = await judged(Servers(random.Random(1), cannot=0.1), 12_000)

    assert (evidence.totals.candidate.bad, told.verdict) == (0, Verdict.NON_INFERIOR)


@pytest.mark.parametrize("seed", seeds(3, in_soak=2))
async def test_a_twin_that_has_yet_to_prepare_films_which_stable_has_passes(seed):
    """A third of its films is too long to be prepared at the first question, and takes its time in the background."""
    evidence, told = await judged(Servers(random.Random(seed), long=0.3), 12_000)

    assert (evidence.totals.candidate.bad, told.verdict) == (0, Verdict.NON_INFERIOR)


@pytest.mark.parametrize("long", [pytest.param(0.5, marks=pytest.mark.soak), 1.0])
async def test_a_candidate_that_never_has_prepared_what_stable_has_is_held_and_not_off(long):
    evidence, told = await judged(Servers(random.Random(1), long=long, takes=math.inf), 6000)

    assert evidence.totals.candidate.bad == 0
    assert told.verdict is (Verdict.UNMEASURED if long == 1 else Verdict.INCONCLUSIVE)
    assert told.is_fair is False, "no deadline promotes it"
    assert f"of {evidence.totals.abandoned.excused} of " in told.message
