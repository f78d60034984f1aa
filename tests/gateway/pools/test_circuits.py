"""Which calls pass to a variant that fails, and which of its arms are told apart."""

import asyncio

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.speaker import Party

ANSWER = VariantAnswer(b"{}", {}, 0.1)
BROKEN = VariantFailure(FailureKind.STATUS, "its runtime says 500: boom")
PATIENT = BreakerRule(failures=2, open_seconds=3_600, longest_open_seconds=3_600)
AT_ONCE = BreakerRule(failures=2, open_seconds=0)


def call(arm: Arm = Arm.CANDIDATE, variant: str = "aks-v2", caller: str = "web", user: str = "") -> Call:
    return Call(variant, arm, b"{}", party=Party(caller, user))


async def ask(circuits: Circuits, asked: Call) -> Reply:
    """One call whose failure counts, since stable can answer its question."""
    reply = await circuits.ask(asked)
    if isinstance(reply, VariantFailure) and reply.fault is not FailureKind.CIRCUIT_OPEN:
        circuits.failed(asked)
    return reply


class CircuitPool:
    """Whoever stands behind the circuits: replies as it is told, after `gate` if there is one."""

    def __init__(self, reply: Reply = BROKEN) -> None:
        self.reply = reply
        self.asked: list[Call] = []
        self.gate: asyncio.Event | None = None

    async def ask(self, call: Call) -> Reply:
        self.asked.append(call)
        if self.gate:
            await self.gate.wait()
        return self.reply


async def test_after_so_many_failures_in_a_row_nobody_is_asked():
    pool = CircuitPool()
    circuits = Circuits(pool, PATIENT)

    replies = [await ask(circuits, call()) for _ in range(4)]

    assert [reply.fault.value for reply in replies] == ["status", "status", "circuit-open", "circuit-open"]
    assert replies[-1].detail == "aks-v2 failed 2 times in a row"
    assert len(pool.asked) == 2


@pytest.mark.parametrize(
    "reply", [ANSWER, VariantRefusal(400, "no", "refused")], ids=["an answer", "a refusal of a question"]
)
async def test_a_variant_that_answers_in_between_is_not_cut_off(reply):
    pool = CircuitPool()
    circuits = Circuits(pool, PATIENT)
    for said in (BROKEN, reply, BROKEN, reply, BROKEN):
        pool.reply = said

        assert await ask(circuits, call()) is said


async def test_stable_is_asked_however_often_it_fails():
    circuits = Circuits(CircuitPool(), PATIENT)

    assert {(await ask(circuits, call(Arm.STABLE))).fault for _ in range(9)} == {FailureKind.STATUS}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(call(Arm.CONTROL), id="another arm of the variant"),
        pytest.param(call(variant="scene-v3"), id="another variant on the arm"),
        pytest.param(call(caller="other-app"), id="another caller"),
        pytest.param(call(user="bob"), id="another user of the caller"),
    ],
)
async def test_a_circuit_is_of_one_variant_on_one_arm_for_one_user(other):
    circuits = Circuits(CircuitPool(), PATIENT)
    for _ in range(3):
        await ask(circuits, call())

    assert (await ask(circuits, other)).fault is FailureKind.STATUS


@pytest.mark.parametrize("other", [call(caller="other-app", user=""), call(user="ann")])
async def test_questions_that_name_no_user_have_a_circuit_of_their_caller_and_cut_off_nobody_else(other):
    circuits = Circuits(CircuitPool(), PATIENT)
    for _ in range(3):
        await ask(circuits, call(user=""))

    assert (await ask(circuits, call(user=""))).fault is FailureKind.CIRCUIT_OPEN
    assert (await ask(circuits, other)).fault is FailureKind.STATUS


async def test_of_many_questions_at_once_one_is_the_trial():
    pool = CircuitPool()
    brief = BreakerRule(failures=1, open_seconds=0.05, longest_open_seconds=3_600)
    circuits = Circuits(pool, brief)
    await ask(circuits, call())
    pool.gate = asyncio.Event()
    replies: list[Reply] = []
    async with asyncio.timeout(10):
        while len(pool.asked) < 2:  # the wait is over when the trial is under way
            trial = asyncio.create_task(ask(circuits, call()))
            await asyncio.sleep(0.001)
        replies = await asyncio.gather(*(ask(circuits, call()) for _ in range(5)))
        pool.gate.set()

        assert await trial is BROKEN

    assert {reply.fault for reply in replies} == {FailureKind.CIRCUIT_OPEN}


async def test_a_trial_that_succeeds_lets_everybody_in_again():
    pool = CircuitPool()
    circuits = Circuits(pool, AT_ONCE)
    for _ in range(2):
        await ask(circuits, call())
    pool.reply = ANSWER

    assert [await ask(circuits, call()) for _ in range(3)] == [ANSWER] * 3


async def test_an_opening_is_logged_once_however_many_fail_together(caplog):
    pool = CircuitPool()
    pool.gate = asyncio.Event()
    circuits = Circuits(pool, PATIENT)
    asked = [asyncio.create_task(ask(circuits, call())) for _ in range(6)]
    while len(pool.asked) < 6:  # noqa: ASYNC110 - a few rounds of the loop
        await asyncio.sleep(0)
    pool.gate.set()
    await asyncio.gather(*asked)

    assert caplog.text.count("circuit open for 3600 s") == 1


async def test_refusals_that_stable_contradicts_never_open_it_alone():
    """Each was first counted as an answer, so that they are not in a row: gates judge them, the circuit does not."""
    pool = CircuitPool(VariantRefusal(400, "no", "refused"))
    circuits = Circuits(pool, PATIENT)
    for _ in range(5):
        await ask(circuits, call())
        circuits.failed(call())

    assert isinstance(await ask(circuits, call()), VariantRefusal)


async def test_a_question_that_stable_fails_too_opens_nothing():
    """One odd video a second would cut everybody off from a good candidate."""
    pool = CircuitPool()
    circuits = Circuits(pool, PATIENT)
    for _ in range(50):
        await circuits.ask(call())

    assert len(pool.asked) == 50


async def test_a_new_pod_closes_the_circuit_and_one_that_comes_back_does_not():
    pods = ["http://a"]
    circuits = Circuits(CircuitPool(), PATIENT, lambda *_: tuple(pods))

    async def faults(number: int = 3) -> list[str]:
        return [(await ask(circuits, call())).fault.value for _ in range(number)]

    assert await faults() == ["status", "status", "circuit-open"]
    pods.append("http://b")
    assert await faults() == ["status", "status", "circuit-open"]
    pods.remove("http://a")
    assert await faults(1) == ["circuit-open"]
    pods.append("http://a")
    assert await faults(1) == ["circuit-open"]


async def test_what_an_open_circuit_refuses_counts_until_its_first_trial_and_no_longer():
    pool = CircuitPool()
    brief = BreakerRule(failures=1, open_seconds=0.05, longest_open_seconds=3_600)
    circuits = Circuits(pool, brief)
    await ask(circuits, call())
    assert (await ask(circuits, call())).counts
    async with asyncio.timeout(10):
        while len(pool.asked) < 2:
            await ask(circuits, call())
            await asyncio.sleep(0.001)

    refused = await ask(circuits, call())
    assert (refused.fault, refused.counts) == (FailureKind.CIRCUIT_OPEN, False)


async def test_memory_is_bounded_however_many_callers_come(monkeypatch):
    monkeypatch.setattr("pitwall_gateway.pools.circuits.CIRCUITS", 10)
    circuits = Circuits(CircuitPool(), PATIENT)
    for number in range(50):
        await ask(circuits, call(caller=f"app-{number}"))

    assert len(circuits._lines) == 10
