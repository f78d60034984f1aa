"""Exports every metric of Pitwall, moving like a rollout: `python exporter.py` prints its port.

Three arms answer queries, one experiment runs in shadow; the candidate's weight climbs, its evidence grows.
"""

import math
import random
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.utils import floatToGoString

from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES, SELECTION_EDGES, TOKEN_EDGES
from pitwall_crds.metrics import SERIES, MetricType
from pitwall_crds.names import MEAN, Arm, CacheResult, ErrorUnit, Metric, Outcome, Quantity, Signal, TrialKind
from pitwall_crds.rollout.status import Phase, Verdict

TICK_SECONDS = 0.1
STAGE_SECONDS = 45.0
WEIGHTS = (0, 100, 1000, 5000, 10_000)
EDGES = {
    Metric.QUERY_LATENCY: LATENCY_EDGES,
    Metric.FRAME_SELECTION: SELECTION_EDGES,
    Metric.HISTORY_LATENCY: LATENCY_EDGES,
    Metric.HISTORY_SELECTION: SELECTION_EDGES,
    Metric.TOKENS_PER_QUERY: TOKEN_EDGES,
    Metric.SHADOW_LATENCY_RATIO: RATIO_EDGES,
    Metric.SHADOW_TOKENS_RATIO: RATIO_EDGES,
}
SERVED = {("uniform-v1", Arm.STABLE): 1.0, ("uniform-v1", Arm.CONTROL): 1.0, ("aks-v2", Arm.CANDIDATE): 0.93}
SHADOWED = ("air-v1", Arm.SHADOW)
RUN = "run-1"
NAMESPACE = "video-qa"


def exported(registry: CollectorRegistry) -> dict[Metric, Counter | Gauge | Histogram]:
    """Every metric, with the labels that it must carry."""
    made: dict[Metric, Counter | Gauge | Histogram] = {}
    for metric, series in SERIES.items():
        match series.type:
            case MetricType.COUNTER:
                made[metric] = Counter(metric, series.about, series.labels, registry=registry)
            case MetricType.GAUGE:
                made[metric] = Gauge(metric, series.about, series.labels, registry=registry)
            case MetricType.HISTOGRAM:
                edges = EDGES.get(metric, Histogram.DEFAULT_BUCKETS)
                made[metric] = Histogram(metric, series.about, series.labels, registry=registry, buckets=edges)
    return made


def answer(metrics: dict, variant: str, arm: Arm, pace: float, dice: random.Random) -> None:
    """One query's worth of telemetry."""
    where = (variant, arm)
    failed = dice.random() < 0.01
    metrics[Metric.QUERIES].labels(*where, Outcome.ERROR if failed else Outcome.OK).inc()
    metrics[Metric.USERS].labels(*where, RUN).inc()
    metrics[Metric.QUERY_LATENCY].labels(*where).observe(pace * dice.lognormvariate(-0.6, 0.35))
    metrics[Metric.FRAME_SELECTION].labels(*where).observe(dice.lognormvariate(-7.5 if pace < 1 else -9, 0.4))
    metrics[Metric.HISTORY_LATENCY].labels(*where).observe(pace * dice.lognormvariate(-0.6, 0.35))
    metrics[Metric.HISTORY_SELECTION].labels(*where).observe(dice.lognormvariate(-7.5 if pace < 1 else -9, 0.4))
    metrics[Metric.TOKENS_PER_QUERY].labels(*where).observe(dice.gauss(2000, 60))
    metrics[Metric.STAGE_DURATION].labels(*where, "decode").observe(dice.lognormvariate(-2, 0.3))
    cold = dice.random() < 0.2
    metrics[Metric.CACHE_QUERIES].labels(*where, CacheResult.COLD if cold else CacheResult.WARM).inc()
    for _ in range(32):
        hit = dice.random() < (0.2 if cold else 0.98)
        metrics[Metric.CACHE_LOOKUPS].labels(*where, CacheResult.HIT if hit else CacheResult.MISS).inc()
        metrics[Metric.CACHE_TIERS].labels(*where, "disk", CacheResult.HIT if hit else CacheResult.MISS).inc()
    metrics[Metric.FRAME_LOOKUPS].labels(*where, CacheResult.MISS if cold else CacheResult.HIT).inc()
    metrics[Metric.FRAME_TIERS].labels(*where, "disk", CacheResult.MISS if cold else CacheResult.HIT).inc()
    metrics[Metric.CACHE_BYTES].labels(variant, "frames").set(2**30)
    metrics[Metric.CACHE_EVICTIONS].labels(variant, "frames").inc(0)
    metrics[Metric.ENCODER_BUSY].labels(*where).inc(0.05)
    metrics[Metric.ENCODER_UTILIZATION].labels(*where).set(0.55 + 0.1 * math.sin(time.time() / 20) + 0.05 * pace)
    for index, signal in enumerate(Signal):
        outcome = Outcome.BAD if dice.random() < 0.1 / (index + 1) else Outcome.GOOD
        metrics[Metric.QUALITY].labels(*where, signal, "session", outcome).inc()
    if failed:
        metrics[Metric.FALLBACKS].labels(*where, "error").inc()
        metrics[Metric.SUBSTITUTES].labels(*where, Outcome.OK).inc()
        metrics[Metric.CAPPED_TRIALS].labels(*where, "user").inc()


def evidence(metrics: dict, variant: str, arm: Arm, pace: float, dice: random.Random) -> None:
    """One query's worth of what gates weigh."""
    where = (variant, arm, RUN)
    metrics[Metric.EVIDENCE_QUERIES].labels(*where, Outcome.OK).inc()
    metrics[Metric.EVIDENCE_CALLERS].labels(*where, TrialKind.QUESTION, "web").inc()
    metrics[Metric.EVIDENCE_CACHE_QUERIES].labels(*where, CacheResult.WARM).inc()
    metrics[Metric.EVIDENCE_QUALITY].labels(*where, Signal.THUMBS_DOWN, "query", Outcome.GOOD).inc()
    for quantity in (Quantity.TOKENS, Quantity.SELECTION, Quantity.ENCODER):
        metrics[Metric.EVIDENCE_VALUE].labels(*where, quantity).inc(pace)
        metrics[Metric.EVIDENCE_VALUED].labels(*where, quantity).inc()
    seconds = pace * dice.lognormvariate(-0.6, 0.35)
    for edge in LATENCY_EDGES:
        side = Metric.EVIDENCE_WITHIN if seconds <= edge else Metric.EVIDENCE_BEYOND
        metrics[side].labels(*where, Quantity.LATENCY, floatToGoString(edge)).inc()
    for unit in ErrorUnit:
        metrics[Metric.EVIDENCE_ERROR].labels(*where, Quantity.LATENCY, MEAN, unit).set(0.01)
    metrics[Metric.EVIDENCE_ABANDONED].labels(*where, floatToGoString(math.inf)).inc()
    metrics[Metric.EVIDENCE_EXCUSED].labels(*where).inc()
    metrics[Metric.EVIDENCE_SHIFT].labels(*where, Quantity.LATENCY, MEAN).set(-0.01)
    metrics[Metric.EVIDENCE_ONE_USER].labels(*where, Quantity.LATENCY, "4.096").inc(0.01)
    metrics[Metric.EVIDENCE_SERVED].labels(*where, Outcome.OK).set(90)
    metrics[Metric.EVIDENCE_USERS].labels(*where, Quantity.LATENCY).set(80)
    if arm is Arm.STABLE:
        metrics[Metric.EVIDENCE_MEMORY].labels(variant).set(5)
        metrics[Metric.EVIDENCE_HISTORY].labels(variant).set(3600)
        metrics[Metric.EVIDENCE_SILENCE].labels(variant, arm).set(300)


def shadow(metrics: dict, dice: random.Random) -> None:
    """One copied query."""
    metrics[Metric.SHADOW_LATENCY_RATIO].labels(*SHADOWED).observe(dice.lognormvariate(0.1, 0.2))
    metrics[Metric.SHADOW_TOKENS_RATIO].labels(*SHADOWED).observe(dice.lognormvariate(0.0, 0.05))
    metrics[Metric.SHADOW_PAIRS].labels(*SHADOWED, Outcome.OK).inc()
    metrics[Metric.SHADOW_DROPPED].labels(*SHADOWED).inc(0)
    metrics[Metric.REFUSALS].labels(*SHADOWED, "400").inc(0)
    metrics[Metric.EVIDENCE_PAIRS].labels(*SHADOWED, RUN, Outcome.OK).inc()
    metrics[Metric.EVIDENCE_RATIOS].labels(*SHADOWED, RUN, Quantity.LATENCY).inc()
    metrics[Metric.EVIDENCE_RATIO_WITHIN].labels(*SHADOWED, RUN, Quantity.LATENCY, "1.5").inc()


def prepare(metrics: dict) -> None:
    """One video of the ingest queue."""
    metrics[Metric.INGEST_JOBS].labels("ready").inc()
    metrics[Metric.INGEST_QUEUE].labels("waiting").set(3)


def decide(metrics: dict, elapsed: float) -> None:
    """What the operator would export at this time."""
    stage = min(int(elapsed / STAGE_SECONDS), len(WEIGHTS) - 1)
    within = min(1.0, elapsed / STAGE_SECONDS - stage)
    candidate = WEIGHTS[stage]
    control = min(candidate, 10_000 - candidate)
    shares = {Arm.CANDIDATE: candidate, Arm.CONTROL: control, Arm.STABLE: 10_000 - candidate - control}
    for variant, arm in SERVED:
        metrics[Metric.ROLLOUT_WEIGHT].labels(NAMESPACE, "sampler", arm, variant).set(shares[arm])
    verdict = Verdict.NON_INFERIOR if within > 0.9 else Verdict.INCONCLUSIVE
    phase = Phase.SHADOW if stage == 0 else Phase.CANARY
    for each in Verdict:
        metrics[Metric.ROLLOUT_VERDICT].labels(NAMESPACE, "sampler", each).set(each is verdict)
    for each in Phase:
        metrics[Metric.ROLLOUT_PHASE].labels(NAMESPACE, "sampler", each).set(each is phase)
    metrics[Metric.ROLLOUT_CONDITION].labels(NAMESPACE, "sampler", "Stalled").set(0)
    for gate, pace in (("latency-p99", 1.1), ("thumbs-down", 1.0), ("tokens", 1.4)):
        for process, gain in (("harm", -2.0), ("non-inferiority", 7.0)):
            log_e = gain * min(1.0, pace * within) + 0.3 * math.sin(elapsed + pace)
            metrics[Metric.GATE_LOG_E].labels(NAMESPACE, "sampler", gate, process).set(log_e)
            metrics[Metric.GATE_THRESHOLD].labels(NAMESPACE, "sampler", gate, process).set(6.0)


def main() -> None:
    """Exports until it is ended."""
    registry = CollectorRegistry()
    metrics = exported(registry)
    server, _ = start_http_server(0, addr="127.0.0.1", registry=registry)
    print(server.server_port, flush=True)
    dice, start = random.Random(7), time.monotonic()
    metrics[Metric.FLAG_STALE].set(0)
    metrics[Metric.FLAG_PROPAGATION].observe(0.02)
    metrics[Metric.LABEL_WINDOW].labels("query").set(120)
    while True:
        for (variant, arm), pace in SERVED.items():
            answer(metrics, variant, arm, pace, dice)
            evidence(metrics, variant, arm, pace, dice)
        shadow(metrics, dice)
        prepare(metrics)
        metrics[Metric.FLAG_EVALUATIONS].labels("sampler.variant", "stable", "SPLIT").inc()
        decide(metrics, time.monotonic() - start)
        time.sleep(TICK_SECONDS)


if __name__ == "__main__":
    main()
