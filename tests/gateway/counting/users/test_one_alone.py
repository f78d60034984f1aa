"""What one user alone brings about moves no rollout, and what all see moves it at once: gateway and gate together."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pitwall_crds.names import Arm, TrialKind
from pitwall_crds.rollout.gate import Dependence
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.counting.users.shares import EVEN, FEWEST, USER_SHARE, ShareRule, Shares
from pitwall_gateway.values.speaker import Speaker
from pitwall_operator.evidence.basis.counts import Counts
from pitwall_operator.gates import GateEvidence, StageContext, StageKind
from pitwall_operator.gates.assessment import Assessment
from pitwall_operator.gates.counting import counters, one_user
from pitwall_operator.gates.counting.cursor import Cursor
from pitwall_operator.observe.scrape import parse
from pitwall_operator.values.observation import ProcessCounters, Reading

RUN = counters.Run("uniform-v1", "aks-v2", "run-1")
ARMS = {arm: ArmSeries("aks-v2" if arm is Arm.CANDIDATE else "uniform-v1", arm, RUN.id) for arm in Arm}
PACE = 8
"""So many times as often as the others does the odd one ask."""


STRICT = {"rate": {"metric": "Errors", "objectiveBasisPoints": 100}}
PASSABLE = {"rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 400}


def analysis(dependence: Dependence, gate: Mapping[str, Any]) -> Analysis:
    return Analysis.model_validate({"gates": [{"name": "errors", "dependence": dependence, **gate}]})


class Gateway:
    """A gateway, or several that all users ask, the users of both arms, and the errors gate that weighs what is
    counted."""

    def __init__(
        self,
        users: int,
        dependence: Dependence,
        seed: int,
        gate: Mapping[str, Any] = STRICT,
        *,
        pace: int = PACE,
        replicas: int = 1,
    ) -> None:
        self._dice, self._users, self._pace, self.both = random.Random(seed), users, pace, False
        rule = ShareRule(user=USER_SHARE, even=EVEN, fewest=FEWEST)
        self._replicas = [GatewayTelemetry(shares=Shares(rule, lambda _: 1.0)) for _ in range(replicas)]
        self._analysis = analysis(dependence, gate)
        (self._gate,) = self._analysis.gates
        self._evidence, self._cursor = GateEvidence.start(self._gate, self._analysis), Cursor.from_state({})

    def block(self, number: int, fails: Callable[[int], bool]) -> Assessment:
        """Each user asks once or twice, the first of the candidate's more often; what the gate says then."""
        asked = [
            (arm, user)
            for arm in (Arm.CANDIDATE, Arm.CONTROL)
            for user in range(self._users)
            for _ in range(self._dice.randint(1, 2) * (self._pace if (arm, user) == (Arm.CANDIDATE, 0) else 1))
        ]
        for arm, user in self._dice.sample(asked, len(asked)):
            self._ask(arm, user, failed=(self.both or arm is Arm.CANDIDATE) and fails(user))
        self._weigh(number)
        return self._evidence.assess(StageContext(StageKind.CANARY))

    def _ask(self, arm: Arm, user: int, *, failed: bool) -> None:
        party = Speaker("web").party(f"{arm}-{user}")
        replica = self._replicas[self._dice.randrange(len(self._replicas)) if len(self._replicas) > 1 else 0]
        series = replica.weighed(ARMS[arm], TrialKind.QUESTION, party)
        waiting = replica.evidence.opened(series)
        end = End.FELL_BACK if failed else End.ANSWERED
        replica.closed(waiting, series, TrialKind.QUESTION, party, end, 0.5)

    def _weigh(self, number: int) -> None:
        sources = {f"gateway-{one}": parse(each.text().decode()) for one, each in enumerate(self._replicas)}
        rows = {name: {"errors": self._counts(source)} for name, source in sources.items()}
        self._cursor, grown = self._cursor.advance(30.0 * number, rows)
        reading = Reading(30.0 * number, sources)
        whom = one_user.served(reading, self._gate, RUN)
        self._evidence = self._evidence.update(replace(grown.get("errors", Counts()), served=whom))

    def _counts(self, source: ProcessCounters) -> Counts:
        counts = counters.totals(source, self._gate, None, RUN)
        return one_user.with_one_user(source, self._gate, None, RUN, counts)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 20))])
@pytest.mark.parametrize("users", [5, 8])
def test_a_candidate_that_fails_one_of_few_users_always_is_not_passed_in_silence(users, seed):
    """Of twenty runs twenty were with eight users, and seven with five."""
    gateway = Gateway(users, Dependence.QUERY, seed, PASSABLE, pace=1)
    told = [gateway.block(number, lambda user: user == 0) for number in range(60)]

    assert {one.verdict for one in told} == {Verdict.INCONCLUSIVE}
    assert not told[-1].is_fair
    assert told[-1].message.startswith(f"the candidate mostly fails 1 of its {users} users, the control 0 of {users}")


def test_one_whom_both_arms_fail_alike_holds_nothing():
    gateway = Gateway(8, Dependence.QUERY, 1, PASSABLE, pace=1)
    gateway.both = True
    told = [gateway.block(number, lambda user: user == 0) for number in range(60)]

    assert "mostly fails" not in "".join(one.message for one in told)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("users", [20, 60])
def test_one_user_who_asks_many_gateways_has_no_twin_off_beside_its_control(users, seed):
    """Each lets three failures of anybody count at first: of eight that was harm after a block or two, all of it one
    user's."""
    gateway = Gateway(users, Dependence.QUERY, seed, {"rate": {"metric": "Errors"}}, replicas=8)
    told = [gateway.block(number, lambda user: user == 0) for number in range(6)]

    assert gateway._evidence.totals.candidate.bad >= 16
    assert Verdict.HARMFUL not in {one.verdict for one in told}
    assert any("are one user's alone in each gateway" in one.message and not one.is_fair for one in told)


def test_whom_many_gateways_fail_alike_is_harm_at_once():
    gateway = Gateway(20, Dependence.QUERY, 0, {"rate": {"metric": "Errors"}}, replicas=8)

    assert gateway.block(0, lambda _: True).verdict is Verdict.HARMFUL


def verdicts(users: int, dependence: Dependence, seed: int, fails: Callable[[int], bool]) -> list[Assessment]:
    gateway, told = Gateway(users, dependence, seed), []
    while len(told) < 25 and (not told or told[-1].verdict is not Verdict.HARMFUL):
        told.append(gateway.block(len(told), fails))
    return told


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 20))])
@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize("users", [4, 5])
def test_one_of_few_users_whom_it_fails_holds_a_candidate_and_has_it_not_off(users, dependence, seed):
    """By single questions twenty of twenty such twins were flagged off, after five blocks."""
    told = verdicts(users, dependence, seed, lambda user: user == 0)

    assert Verdict.HARMFUL not in {one.verdict for one in told}
    if dependence is Dependence.QUERY:
        assert told[-1].verdict is Verdict.INCONCLUSIVE
        assert not told[-1].is_fair
        assert "are one user's alone" in told[-1].message


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize("users", [3, 5])
def test_a_candidate_that_fails_all_of_few_users_is_off_within_blocks(users, dependence, seed):
    told = verdicts(users, dependence, seed, lambda _: True)

    assert told[-1].verdict is Verdict.HARMFUL
    assert len(told) <= 4


def test_of_others_bad_trials_none_is_one_users():
    """However one user's and the others' alternate, what is left is theirs, and never falls."""
    gateway, told = Gateway(3, Dependence.QUERY, 5), Counts()
    for number in range(8):
        gateway.block(number, lambda user, number=number: user == number % 3)
        now = gateway._evidence.totals
        left, before = now.of_others, told.of_others
        assert left.candidate.bad >= before.candidate.bad
        assert left.objective == replace(left.candidate)
        told = now
    assert told.of_one.candidate < told.candidate.bad
