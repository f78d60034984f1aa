"""A candidate that answers for stable: only where the flag permits it, only live ones, only so many, and as evidence of
nothing."""

import asyncio
import math
from dataclasses import dataclass, field, replace

import pytest

from pitwall_crds.names import Arm, Header
from pitwall_flags.flag.document import CANDIDATE_FALLBACK, ArmShare, killed, split_document
from pitwall_flags.flag.record import FlagRecord
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.flags.port import AssignedFlag
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.pools.witnesses import QUIET_SECONDS
from pitwall_gateway.serve.answering.relay import Relay, RelayedAnswer
from pitwall_gateway.serve.answering.substitutes import SETTLING_SECONDS, Substitutes
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.speaker import Speaker

FLAG = "sampler.variant"
STABLE, CANDIDATE = "uniform-v1", "aks-v1"
SHARES = (ArmShare("candidate", CANDIDATE, 1000), ArmShare("control", STABLE, 1000), ArmShare("stable", STABLE, 8000))
OFF = (ArmShare("stable", STABLE, 10_000),)
EDIT = (ArmShare("candidate", STABLE, 1000), ArmShare("stable", STABLE, 9000))
ANSWER = VariantAnswer(b"{}", {"choices": [{}]}, 0.1)
BOOM = VariantFailure(FailureKind.STATUS, "its runtime says 500: boom")
REFUSED = VariantFailure(FailureKind.UNREACHABLE, "connection refused", reached=False)
SATURATED = VariantFailure(FailureKind.SATURATED, "128 questions under way, its limit", counts=False)
REFUSAL = VariantRefusal(400, "no", "refused")
ANN = Question(b"{}", "ann", "ann", "ann", Speaker("web"))


def document(shares=SHARES, *, per_pod: int = 1):
    permitted = {CANDIDATE_FALLBACK: str(per_pod)} if per_pod else {}
    return {**split_document(list(shares), salt="run-1"), "metadata": permitted}


@dataclass
class OneArmFlags:
    """A flag that sends everybody to one arm of the split that its document holds."""

    said: object
    arm: Arm = Arm.STABLE

    def resolve(self, key, targeting_key):
        return AssignedFlag(CANDIDATE if self.arm is Arm.CANDIDATE else STABLE, self.arm, "SPLIT")

    def keys(self):
        return (FLAG,)

    def document(self, key):
        return self.said

    def start(self):
        """Nothing to follow."""

    def close(self):
        """Nothing to stop."""


@dataclass
class SubstituteRig:
    """A relay before pods that reply as they are told; `pods` says who has any."""

    flags: OneArmFlags
    replies: dict[str, Reply] = field(default_factory=lambda: {STABLE: ANSWER, CANDIDATE: ANSWER})
    pods: dict[tuple[str, Arm], tuple[str, ...]] = field(default_factory=dict)
    rule: BreakerRule = field(default_factory=lambda: BreakerRule(failures=2, open_seconds=3600))
    asked: list[Call] = field(default_factory=list)
    gate: asyncio.Event | None = None
    now: float = 0.0
    last_resort: str = ""

    def __post_init__(self):
        both = {(STABLE, Arm.STABLE): ("s",), (STABLE, Arm.CONTROL): ("s",), (CANDIDATE, Arm.CANDIDATE): ("c",)}
        self.pods = both | self.pods
        pool = lambda variant, arm: self.pods.get((variant, arm), ())  # noqa: E731
        assigner = Assigner(self.flags, FLAG, lambda last: last or self.last_resort)
        circuits = Circuits(self, self.rule, pool)
        self.substitutes = Substitutes(assigner, circuits, pool, lambda: self.now)
        self.telemetry = GatewayTelemetry()
        self.relay = Relay(assigner, circuits, self.telemetry, RecentQuestions(), 60.0, self.substitutes)

    async def ask(self, call: Call) -> Reply:
        """The pods' part, once the gate is open."""
        self.asked.append(call)
        if not self.pods.get((call.variant, call.arm)):
            return VariantFailure(FailureKind.UNROUTED, "no URL", reached=False)
        if self.gate and call.instead:
            await self.gate.wait()
        return self.replies[call.variant]

    async def question(self, question: Question = ANN, seconds: float = math.inf) -> RelayedAnswer:
        return await self.relay.answer(question, {}, seconds)

    def without_stable(self) -> "SubstituteRig":
        self.pods |= {(STABLE, arm): () for arm in (Arm.STABLE, Arm.CONTROL)}
        return self

    def names(self) -> list[str]:
        return [call.variant for call in self.asked]

    def weighed(self) -> float:
        """What gates may weigh of all arms."""
        samples = (sample for family in self.telemetry.evidence.collect() for sample in family.samples)
        return sum(sample.value for sample in samples)


def stage(arm: Arm = Arm.STABLE, **said) -> SubstituteRig:
    return SubstituteRig(OneArmFlags(document(**said), arm))


@pytest.mark.parametrize("arm", [Arm.STABLE, Arm.CONTROL])
async def test_where_stable_has_no_pods_the_candidate_answers_and_is_no_evidence(arm):
    pit = stage(arm).without_stable()

    served = await pit.question()

    assert served.reply is ANSWER
    assert (served.by.variant, served.assigned.arm, served.fallback) == (CANDIDATE, arm, "unrouted")
    assert pit.names() == [CANDIDATE]
    assert pit.asked[0].headers[Header.ARM] == Arm.SHADOW
    assert served.counted.run == ""
    assert not served.comparable
    assert pit.weighed() == 0


async def test_nobody_does_unless_the_rollout_permits_it():
    pit = stage(per_pod=0).without_stable()

    assert isinstance((await pit.question()).reply, VariantFailure)
    assert CANDIDATE not in pit.names()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(document(OFF), id="flagged off or aborted"),
        pytest.param(FlagRecord(FLAG, killed(document()), 3, killed=True).effective(), id="killed"),
        pytest.param(killed(document()), id="released after a kill"),
        pytest.param(document((*SHARES[1:2], ArmShare("stable", STABLE, 9000))), id="in shadow"),
        pytest.param({**document(), "metadata": {CANDIDATE_FALLBACK: "many"}}, id="a permission that cannot be read"),
        pytest.param(None, id="a flag that is gone"),
    ],
)
async def test_who_is_no_live_candidate_never_answers(said):
    pit = stage().without_stable()
    pit.flags.said = said

    assert isinstance((await pit.question()).reply, VariantFailure)
    assert CANDIDATE not in pit.names()


async def test_a_candidate_that_is_killed_between_the_two_tries_is_not_asked():
    pit = stage()
    pit.replies[STABLE] = REFUSED

    class Killing(SubstituteRig):
        async def ask(self, call):
            self.flags.said = killed(document())
            return await super().ask(call)

    pit = Killing(pit.flags, pit.replies)

    assert isinstance((await pit.question()).reply, VariantFailure)
    assert pit.names() == [STABLE, STABLE]


async def test_what_stables_pods_did_not_get_goes_to_the_candidate_at_the_second_try():
    pit = stage()
    pit.replies[STABLE] = REFUSED

    served = await pit.question()

    assert (served.by.variant, served.fallback) == (CANDIDATE, "unreachable")
    assert pit.names() == [STABLE, CANDIDATE]


async def test_a_question_that_breaks_stable_is_not_handed_on_before_stable_is_known_to_keep_failing():
    pit = stage()
    pit.replies[STABLE] = BOOM

    replies = [(await pit.question()).reply for _ in range(3)]

    assert replies == [BOOM, BOOM, ANSWER]
    assert pit.names() == [STABLE] * 4 + [CANDIDATE]


async def test_one_callers_questions_turn_nobody_elses_away_from_stable():
    pit = stage()
    pit.replies[STABLE] = BOOM
    for _ in range(3):
        await pit.question(Question(b"{}", "eve", "eve", "eve", Speaker("hostile")))
    pit.replies[STABLE] = ANSWER

    assert (await pit.question()).by.variant == STABLE


def asked_by(user: str, caller: str = "web") -> Question:
    return Question(b"{}", user, user, user, Speaker(caller))


EVE = asked_by("eve")
OF_MANY_NAMES = [asked_by(f"eve-{number}") for number in range(3)]


@pytest.mark.parametrize(
    ("failing", "others"),
    [
        pytest.param([EVE], asked_by("bob"), id="a user among those of one caller"),
        pytest.param([EVE], asked_by("bob", "shop"), id="a user of one of two callers"),
        pytest.param(OF_MANY_NAMES, asked_by("bob", "shop"), id="a caller of invented users beside another"),
    ],
)
async def test_who_asks_what_breaks_stable_again_and_again_ends_nobodys_evidence(failing, others):
    """One user's question in a second that every variant fails once made all that others asked nobody's evidence."""
    pit = stage()
    await pit.question(others)
    pit.replies[STABLE] = BOOM
    for second in range(60):
        pit.now = float(second)
        await pit.question(failing[second % len(failing)])
    counted = pit.weighed()
    pit.replies[STABLE] = ANSWER
    await pit.question(others)

    assert CANDIDATE not in pit.names()
    assert pit.weighed() > counted


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([asked_by("bob")], id="another user of the only caller"),
        pytest.param([asked_by("bob", "shop")], id="another caller"),
    ],
)
async def test_whom_stable_keeps_failing_as_it_does_others_gets_the_candidate_after_some_seconds(others):
    pit = stage()
    for one in others:
        await pit.question(one)
    pit.replies[STABLE] = BOOM
    pit.now = 0.1
    before = [(await pit.question(one)).reply for one in (EVE, *others) for _ in range(3)]
    pit.now = QUIET_SECONDS + 0.2

    assert ANSWER not in before
    assert (await pit.question(EVE)).by.variant == CANDIDATE


async def test_questions_that_stables_pods_refuse_keep_no_one_else_from_the_candidate():
    pit = stage()
    pit.replies[STABLE] = BOOM
    for _ in range(3):
        await pit.question(EVE)
        await pit.question(asked_by("bob"))
    pit.replies[STABLE] = REFUSAL
    await pit.question(asked_by("mallory"))
    pit.replies[STABLE] = BOOM

    assert (await pit.question(EVE)).by.variant == CANDIDATE


async def test_a_candidate_that_was_not_asked_for_want_of_health_is_not_at_work():
    pit = stage(Arm.CANDIDATE)
    pit.replies[CANDIDATE] = BOOM
    for _ in range(2):
        await pit.question()
    pit.flags.arm = Arm.STABLE
    pit.without_stable()
    await pit.question()

    assert not pit.substitutes.at_work


@pytest.mark.parametrize(
    ("failure", "seconds"),
    [
        pytest.param(SATURATED, math.inf, id="it asks more at once than its part"),
        pytest.param(BOOM, 0.001, id="its caller gives it a millisecond"),
        pytest.param(replace(BOOM, video=""), math.inf, id="the video's server gives nothing"),
    ],
)
async def test_what_a_caller_brings_about_turns_nobody_away_from_stable(failure, seconds):
    """Six questions of a millisecond each once made the candidate answer for stable, and ended all evidence."""
    pit = stage()
    pit.replies[STABLE] = failure
    for _ in range(6):
        await pit.question(seconds=seconds)
    pit.replies[STABLE] = ANSWER

    assert (await pit.question()).by.variant == STABLE
    assert CANDIDATE not in pit.names()


async def test_stable_gets_its_users_back_as_soon_as_a_trial_succeeds():
    pit = SubstituteRig(OneArmFlags(document()), rule=BreakerRule(failures=1, open_seconds=0))
    pit.replies[STABLE] = BOOM
    await pit.question()
    trial = await pit.question()
    pit.replies[STABLE] = ANSWER

    assert trial.by.variant == CANDIDATE
    assert pit.names()[-2:] == [STABLE, CANDIDATE]
    assert (await pit.question()).by.variant == STABLE


async def test_a_refusal_by_stable_is_a_sign_of_life():
    pit = SubstituteRig(OneArmFlags(document()), rule=BreakerRule(failures=2, open_seconds=3600))
    for reply in (BOOM, REFUSAL, BOOM):
        pit.replies[STABLE] = reply
        await pit.question()

    assert (await pit.question()).reply is BOOM


@pytest.mark.parametrize("reply", [BOOM, REFUSAL], ids=["fails", "refuses"])
async def test_a_candidate_that_cannot_either_ends_it_and_nobody_is_asked_again(reply):
    pit = stage().without_stable()
    pit.replies[CANDIDATE] = reply

    served = await pit.question()

    assert isinstance(served.reply, VariantFailure)
    assert served.reply.fault is FailureKind.UNROUTED
    assert pit.names() == [CANDIDATE]
    assert pit.weighed() == 0


async def test_no_question_is_asked_more_than_twice_whoever_fails():
    for arm in (Arm.STABLE, Arm.CONTROL, Arm.CANDIDATE):
        for stable in (BOOM, REFUSED):
            pit = stage(arm)
            pit.replies |= {STABLE: stable, CANDIDATE: BOOM}
            for asked in range(1, 8):
                await pit.question()
                assert len(pit.asked) <= 2 * asked


async def test_a_candidate_is_asked_no_more_of_these_questions_at_once_than_its_pods_may_have():
    pit = stage(per_pod=2).without_stable()
    pit.pods[(CANDIDATE, Arm.CANDIDATE)] = ("c1", "c2")
    pit.gate = asyncio.Event()
    waiting = [asyncio.create_task(pit.question()) for _ in range(9)]
    turned_away = asyncio.as_completed(waiting, timeout=5)
    for _ in range(5):
        await next(turned_away)
    pit.gate.set()
    served = await asyncio.gather(*waiting)

    assert len(pit.asked) == 4
    assert sum(one.reply is ANSWER for one in served) == 4


async def test_a_candidate_that_fails_its_own_users_gets_nobody_elses():
    pit = stage(Arm.CANDIDATE)
    pit.replies[CANDIDATE] = BOOM
    for _ in range(2):
        await pit.question()
    pit.flags.arm = Arm.STABLE
    pit.without_stable().asked.clear()

    assert isinstance((await pit.question()).reply, VariantFailure)
    assert pit.names() == []


async def test_what_it_answers_for_stable_neither_opens_nor_closes_its_own_circuit():
    pit = stage(Arm.CANDIDATE)
    pit.replies[CANDIDATE] = BOOM
    await pit.question()
    pit.flags.arm, pit.replies[CANDIDATE] = Arm.STABLE, ANSWER
    pit.without_stable()
    await pit.question()
    pit.now += 2 * SETTLING_SECONDS
    pit.flags.arm, pit.replies[CANDIDATE] = Arm.CANDIDATE, BOOM
    pit.pods[(STABLE, Arm.STABLE)] = ("s",)
    await pit.question()

    assert (await pit.question()).fallback == "circuit-open"


@pytest.mark.parametrize("arm", [Arm.CANDIDATE, Arm.CONTROL, Arm.STABLE])
async def test_what_begins_while_it_carries_more_than_its_own_users_is_nobodys_evidence(arm):
    """Its pods are slower then, through no fault of its sampler; and a fair comparison leaves out the same of all."""
    pit = stage().without_stable()
    await pit.question()
    pit.pods |= {(STABLE, Arm.STABLE): ("s",), (STABLE, Arm.CONTROL): ("s",)}
    pit.flags.arm = arm
    await pit.question()
    during = pit.weighed()
    pit.now += 2 * SETTLING_SECONDS
    await pit.question()

    assert during == 0
    assert pit.weighed() > 0


async def test_an_edit_of_the_stable_variant_answers_only_as_the_candidate_that_it_is():
    pit = stage(shares=EDIT)
    pit.pods = {(STABLE, Arm.CANDIDATE): ("new",)}
    permitted = await pit.question()
    pit.flags.said = document(EDIT, per_pod=0)

    assert (permitted.by.variant, permitted.by.arm) == (STABLE, Arm.CANDIDATE)
    assert isinstance((await pit.question()).reply, VariantFailure)


async def test_a_failing_candidates_user_gets_stable_or_nobody_never_a_third_variant():
    pit = stage(Arm.CANDIDATE).without_stable()
    pit.replies |= {CANDIDATE: BOOM, "third-v1": ANSWER}
    pit.pods[("third-v1", Arm.STABLE)] = ("t",)
    pit.last_resort = "third-v1"

    assert isinstance((await pit.question()).reply, VariantFailure)
    assert pit.names() == [CANDIDATE, STABLE]


async def test_people_see_how_often_it_answered_for_stable():
    pit = stage().without_stable()
    await pit.question()
    pit.replies[CANDIDATE] = BOOM
    await pit.question()

    text = pit.telemetry.text().decode()
    for outcome in ("ok", "error"):
        labels = f'{{arm="stable",outcome="{outcome}",sampler_variant="{CANDIDATE}"}}'
        assert f"pitwall_substitutes_total{labels} 1.0" in text


def test_over_http_a_permitted_candidate_answers_for_a_dead_stable(pit):
    stable, fresh = pit.runtime(STABLE), pit.runtime(CANDIDATE)
    pit.route({STABLE: {"stable": [stable.url]}, CANDIDATE: {"stable": [fresh.url]}})
    pit.open(OneArmFlags(document()))
    before = pit.ask("ann").headers
    stable.server.stop()

    after = pit.ask("ann")

    assert (before["x-pitwall-variant"], after.headers["x-pitwall-variant"]) == (STABLE, CANDIDATE)
    assert (after.status_code, after.headers["x-pitwall-fallback"]) == (200, "unreachable")
    assert fresh.headers[-1]["x-pitwall-arm"] == "shadow"
    assert pit.metric("pitwall_evidence_queries_total", outcome="ok") == 1
    assert pit.metric("pitwall_evidence_queries_total", outcome="error") == 0
