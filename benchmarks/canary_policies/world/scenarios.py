"""The simulated scenarios: each differs from sound traffic in one thing."""

from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.canary_policies.world.laws import LogNormal, Pareto


class Truth(StrEnum):
    """Whether the candidate should be flagged off."""

    HARMLESS = "harmless"
    TOLERATED = "tolerated"  # exactly at the gate's margin
    HARMFUL = "harmful"


class ScenarioMetric(StrEnum):
    """What the one gate of the scenario looks at."""

    LATENCY = "latency-p99"
    ERRORS = "errors"
    THUMBS_DOWN = "thumbs-down"
    COLD = "cache-cold"


@dataclass(frozen=True, slots=True)
class TrafficScenario:
    """One world. Rates are per query; minutes count from the candidate's first query."""

    name: str
    truth: Truth
    metric: ScenarioMetric = ScenarioMetric.LATENCY
    law: object = field(default_factory=LogNormal)
    slowdown: float = 1.0
    base_rate: float = 0.0
    candidate_rate: float = 0.0
    harm_from_minute: float = 0.0
    correlation: float = 0.0
    drift: float = 0.0
    spikes: bool = False
    stalls: bool = False
    cold_start: bool = False
    label_delay_minutes: float = 0.0
    outage_minutes: tuple[float, float] = (0.0, 0.0)
    reset_minute: float = 0.0


def _rates(name, truth, metric, base, candidate, **more):
    return TrafficScenario(name, truth, metric, base_rate=base, candidate_rate=candidate, **more)


H, X, T = Truth.HARMLESS, Truth.HARMFUL, Truth.TOLERATED
TRAFFIC_LADDER = (
    TrafficScenario("identical", H),
    TrafficScenario("p99 × 1.25", X, slowdown=1.25),
    TrafficScenario("p99 × 1.5", X, slowdown=1.5),
    TrafficScenario("p99 × 2", X, slowdown=2.0),
    TrafficScenario("p99 × 3", X, slowdown=3.0),
)
"""Run at every traffic level."""

DIRT = (
    TrafficScenario("identical, correlation .005", H, correlation=0.005),
    TrafficScenario("identical, correlation .02", H, correlation=0.02),
    TrafficScenario("identical, correlation .05", H, correlation=0.05),
    TrafficScenario("p99 × 2, correlation .05", X, slowdown=2.0, correlation=0.05),
    TrafficScenario("identical, diurnal drift", H, drift=0.3),
    TrafficScenario("p99 × 2, diurnal drift", X, slowdown=2.0, drift=0.3),
    TrafficScenario("identical, common spikes", H, spikes=True),
    TrafficScenario("p99 × 2, common spikes", X, slowdown=2.0, spikes=True),
    TrafficScenario("identical, pods of one arm stall 30 s", H, stalls=True),
    TrafficScenario("identical, heavy tails", H, law=Pareto()),
    TrafficScenario("p99 × 2, heavy tails", X, law=Pareto(), slowdown=2.0),
    TrafficScenario("p99 × 2 from minute 20", X, slowdown=2.0, harm_from_minute=20.0),
    TrafficScenario("identical, Prometheus out 1 min", H, outage_minutes=(5.0, 6.0)),
    TrafficScenario("identical, Prometheus out 10 min", H, outage_minutes=(5.0, 15.0)),
    TrafficScenario("identical, Prometheus never answers", H, outage_minutes=(0.0, 60.0)),
    TrafficScenario("identical, counter reset", H, reset_minute=7.0),
    _rates("error burst from minute 5", X, ScenarioMetric.ERRORS, 0.002, 0.5, harm_from_minute=5.0),
    _rates("identical thumbs", H, ScenarioMetric.THUMBS_DOWN, 0.1, 0.1),
    _rates("thumbs-down +10 %", T, ScenarioMetric.THUMBS_DOWN, 0.1, 0.11),
    _rates("thumbs-down +25 %", X, ScenarioMetric.THUMBS_DOWN, 0.1, 0.125),
    _rates("identical thumbs, late labels", H, ScenarioMetric.THUMBS_DOWN, 0.1, 0.1, label_delay_minutes=5.0),
    _rates("identical, cold cache", H, ScenarioMetric.COLD, 0.2, 0.2, cold_start=True),
)
"""Run at one traffic level."""
