"""What stable took long ago is no part of the history from which thresholds are frozen."""

from prometheus_client import CollectorRegistry, generate_latest

from pitwall_crds.names import Arm, Metric
from pitwall_gateway.counting.history import History
from pitwall_gateway.counting.recent import DAY_SECONDS, ENOUGH, RecentHistogram
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.users.shares import ShareRule, Shares
from pitwall_gateway.values.speaker import Party

STABLE = {"sampler_variant": "uniform-v1", "arm": "stable"}


class Days:
    """A histogram that time passes for."""

    def __init__(self) -> None:
        self.now, self.registry = 0.0, CollectorRegistry()
        self.histogram = RecentHistogram(Metric.HISTORY_LATENCY, (1.0, 2.0, 4.0), lambda: self.now)
        self.registry.register(self.histogram)

    def day(self, seconds: float, questions: int) -> None:
        for _ in range(questions):
            self.now += DAY_SECONDS / questions
            self.histogram.observe("uniform-v1", "stable", seconds)

    def known(self, edge: str) -> float | None:
        return self.registry.get_sample_value(f"{Metric.HISTORY_LATENCY}_bucket", {**STABLE, "le": edge})


def test_it_is_a_histogram_like_any_other():
    days = Days()
    for seconds in (0.5, 1.0, 1.5, 4.0, 9.0):
        days.histogram.observe("uniform-v1", "stable", seconds)

    assert [days.known(edge) for edge in ("1.0", "2.0", "4.0", "+Inf")] == [2.0, 3.0, 4.0, 5.0]
    assert days.registry.get_sample_value(f"{Metric.HISTORY_LATENCY}_sum", STABLE) == 16.0
    assert b"# TYPE pitwall_history_latency_seconds histogram" in generate_latest(days.registry)


def test_what_was_slow_weeks_ago_is_forgotten_within_two_days():
    days = Days()
    for _ in range(14):
        days.day(9.0, ENOUGH)
    for _ in range(3):
        days.day(0.5, ENOUGH + 1)

    assert days.known("1.0") == days.known("+Inf")
    assert (days.known("+Inf") or 0) >= ENOUGH


def test_where_little_is_asked_all_that_a_threshold_needs_is_kept():
    days = Days()
    for _ in range(100):
        days.day(0.5, 150)

    assert days.known("+Inf") == 15_000


def test_arms_and_variants_are_told_apart():
    days = Days()
    days.histogram.observe("uniform-v1", "control", 0.5)
    days.histogram.observe("aks-v1", "stable", 0.5)

    assert days.known("+Inf") is None
    days.day(0.5, 3)
    assert days.known("+Inf") == 3.0


def test_nobody_fills_a_generation_by_what_others_asked_before():
    """One in twenty of all that was ever asked would be more than a whole day's questions."""
    now, registry = [0.0], CollectorRegistry()
    history = History(Shares(ShareRule(user=0.05), lambda _: 1.0), registry, lambda: now[0])

    def ask(user: str, seconds: float) -> None:
        asked = history.asked(ArmSeries("uniform-v1", Arm.STABLE), Party("web", user))
        history.closed(asked, End.ANSWERED, seconds)

    for number in range(2 * ENOUGH):
        ask(f"user-{number % 400}", 1.0)
    now[0] += DAY_SECONDS
    for number in range(2000):
        ask("ann", 0.001)
        ask(f"user-{number % 400}", 1.0)

    anns = registry.get_sample_value(f"{Metric.HISTORY_LATENCY}_bucket", {**STABLE, "le": "0.512"}) or 0
    assert 0 < anns < 250
