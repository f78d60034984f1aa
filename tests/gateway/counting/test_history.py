"""No user sets the threshold that is frozen from what stable's answers took, nor puts it where nothing is measured."""

import pytest
from prometheus_client import CollectorRegistry

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.names import Arm, Metric
from pitwall_gateway.counting.history import History
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.users.shares import ShareRule, Shares
from pitwall_gateway.serve.settings import Rules
from pitwall_gateway.values.answer import VariantAnswer
from pitwall_gateway.values.speaker import Party

STABLE = {"sampler_variant": "uniform-v1", "arm": "stable"}
RUNS = {"sampler.variant": "run-1"}
ONE_IN_TWENTY = ShareRule(user=0.05)


class Asking:
    """Users who ask one variant, and a look at its history."""

    def __init__(self, rule: ShareRule = ONE_IN_TWENTY) -> None:
        self._registry = CollectorRegistry()
        self.history = History(Shares(rule, lambda _: 1.0), self._registry)

    def ask(self, user: str, seconds: float, end: End = End.ANSWERED, arm: Arm = Arm.STABLE) -> bool:
        """Whether the question is part of the history."""
        asked = self.history.asked(ArmSeries("uniform-v1", arm), Party("web", user))
        self.history.closed(asked, end, seconds)
        return asked is not None

    def beyond(self, edge: float) -> float:
        within = self._registry.get_sample_value(f"{Metric.HISTORY_LATENCY}_bucket", {**STABLE, "le": str(edge)}) or 0
        return self.known() - within

    def known(self) -> float:
        return self._registry.get_sample_value(f"{Metric.HISTORY_LATENCY}_count", STABLE) or 0.0


@pytest.mark.parametrize("part", [0.016, 0.05, 0.3])
def test_the_slow_answers_of_one_user_are_no_hundredth_of_a_history(part):
    """With a sixtieth of stable's answers, each of 45 s, one user once put a p99 threshold beyond the last bucket."""
    asking, slow = Asking(), 0.0
    for number in range(3000):
        slow += part / (1 - part)
        asking.ask(f"user-{number % 700}", 0.1)
        while slow >= 1:
            asking.ask("ann", 45.0)
            slow -= 1

    assert asking.beyond(LATENCY_EDGES[-8]) <= 10
    assert asking.known() >= 2950


@pytest.mark.parametrize("users", [1, 2, 3, 5, 12, 19])
def test_the_answers_of_few_users_come_to_be_enough_for_a_threshold(users):
    """With fewer than twenty, ten of each once were all there ever was."""
    asking = Asking()
    for number in range(2000):
        asking.ask(f"user-{number % users}", 0.1)

    assert asking.known() >= 1500


@pytest.mark.parametrize(("users", "part"), [(4, 0.5), (12, 1 / 6), (19, 2 / 19), (80, 0.05)])
def test_of_few_users_none_has_more_than_twice_an_even_part(users, part):
    asking, anns, others = Asking(), 0, 0
    for number in range(4000):
        others += asking.ask(f"user-{number % (users - 1)}", 0.1)
        anns += asking.ask("ann", 0.1)

    assert asking.known() == anns + others
    assert 0.8 * part <= anns / asking.known() <= part + 0.01


def test_users_that_came_long_ago_are_users_still():
    """More than are remembered, each with one question: they are forgotten, and how many they were is not."""
    asking = Asking()
    for number in range(2100):
        asking.ask(f"user-{number}", 0.1)
    for _ in range(500):
        asking.ask("ann", 0.1)

    assert asking.known() < 2100 + 0.06 * 2200


def test_what_many_users_wait_for_is_all_there():
    asking = Asking()
    for number in range(2000):
        asking.ask(f"user-{number % 700}", 5.0 if number % 20 == 0 else 0.1)

    assert asking.beyond(1.024) == pytest.approx(100, abs=3)


def test_a_share_is_one_of_the_variant_whatever_the_arms():
    asking = Asking()
    for number in range(400):
        asking.ask(f"user-{number % 100}", 0.1)
    for arm in (Arm.STABLE, Arm.CONTROL, Arm.CANDIDATE):
        for _ in range(100):
            asking.ask("ann", 0.1, arm=arm)

    assert asking.known() < 400 + 40


@pytest.mark.parametrize("end", [End.UNMEASURED, End.REFUSED, End.ABANDONED, End.FAILED])
def test_what_is_no_answer_of_the_variant_is_no_history(end):
    asking = Asking()
    asking.ask("ann", 2.4, end)

    assert asking.known() == 0


def test_selections_are_part_of_it_too():
    registry = CollectorRegistry()
    history = History(Shares(ONE_IN_TWENTY, lambda _: 1.0), registry)
    asked = history.asked(ArmSeries("uniform-v1", Arm.STABLE), Party("web", "ann"))
    history.measured(asked, VariantAnswer(b"", {}, 0.1, selection_seconds=0.02))
    history.measured(None, VariantAnswer(b"", {}, 0.1, selection_seconds=0.02))

    assert registry.get_sample_value(f"{Metric.HISTORY_SELECTION}_count", STABLE) == 1


@pytest.mark.parametrize("runs", [RUNS, {}], ids=["in a run", "outside of any"])
def test_of_who_asks_all_day_the_history_has_no_more_than_a_share(pit, duel, runs):
    duel("stable", runs=runs, rules=Rules(shares=ONE_IN_TWENTY))
    for number in range(30):
        pit.ask(f"user-{number}")
    for _ in range(20):
        pit.ask("ann")

    assert pit.metric("pitwall_query_latency_seconds_count", **STABLE) == 50, "people see all"
    assert 30 + 3 <= pit.metric("pitwall_history_latency_seconds_count", **STABLE) <= 30 + 10


def test_what_another_one_answered_and_is_nobodys_evidence_is_no_history(pit, duel):
    stable, _ = duel("stable", runs=RUNS)
    stable.fails_first = 1
    stable.details = {"frame_selection_seconds": 0.01}
    assert pit.ask("ann").status_code == 200
    assert pit.metric("pitwall_history_selection_seconds_count", **STABLE) == 0, "the second try's own"

    assert pit.ask("bob").status_code == 200
    assert pit.metric("pitwall_history_selection_seconds_count", **STABLE) == 1
    latency, evidence = (
        pit.metric(f"{name}", **STABLE)
        for name in ("pitwall_history_latency_seconds_count", "pitwall_evidence_queries_total")
    )
    assert latency == evidence == 2
