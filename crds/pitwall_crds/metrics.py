"""Describes every exported metric: type, labels and meaning, for those who export, query or document it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pitwall_crds.names import Label, Metric


class MetricType(StrEnum):
    """Prometheus' types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """One metric's type, label names and meaning."""

    type: MetricType
    labels: tuple[Label, ...]
    about: str


_COUNTER, _GAUGE, _HISTOGRAM = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM
_ARM: Final = (Label.SAMPLER_VARIANT, Label.ARM)
_ROLLOUT: Final = (Label.ROLLOUT,)
_PROCESS: Final = (Label.ROLLOUT, Label.GATE, Label.PROCESS)

SERIES: Final[dict[Metric, MetricDescription]] = {
    Metric.QUERY_LATENCY: MetricDescription(_HISTOGRAM, _ARM, "Seconds from question to answer, as the user saw them."),
    Metric.QUERIES: MetricDescription(
        _COUNTER, (*_ARM, Label.OUTCOME), "Questions, by whether the assigned variant answered."
    ),
    Metric.REFUSALS: MetricDescription(
        _COUNTER, (*_ARM, Label.REASON), "Questions refused as the caller's fault, by status."
    ),
    Metric.QUALITY: MetricDescription(
        _COUNTER,
        (*_ARM, Label.SIGNAL, Label.UNIT, Label.OUTCOME),
        "Quality trials whose label is known, counted once each.",
    ),
    Metric.SHADOW_LATENCY_RATIO: MetricDescription(
        _HISTOGRAM, _ARM, "Shadow's latency divided by the primary's, same question."
    ),
    Metric.SHADOW_TOKENS_RATIO: MetricDescription(
        _HISTOGRAM, _ARM, "Shadow's tokens divided by the primary's, same question."
    ),
    Metric.SHADOW_PAIRS: MetricDescription(_COUNTER, (*_ARM, Label.OUTCOME), "Copies of answered questions."),
    Metric.SHADOW_DROPPED: MetricDescription(_COUNTER, _ARM, "Copies not sent because the queue was full."),
    Metric.FALLBACKS: MetricDescription(
        _COUNTER, (*_ARM, Label.REASON), "Questions that stable answered for the variant."
    ),
    Metric.USERS: MetricDescription(
        _COUNTER,
        (*_ARM, Label.SPLIT),
        "Users at their first question under a split, by the arm they got; only the split that the gateway follows.",
    ),
    Metric.TOKENS_PER_QUERY: MetricDescription(_HISTOGRAM, _ARM, "Visual tokens given to the answer engine."),
    Metric.FRAME_SELECTION: MetricDescription(_HISTOGRAM, _ARM, "Seconds that the sampler took to choose the frames."),
    Metric.ENCODER_BUSY: MetricDescription(
        _COUNTER, _ARM, "Seconds that the encoder worked, by the arm of the question."
    ),
    Metric.ENCODER_UTILIZATION: MetricDescription(_GAUGE, _ARM, "Busy share of the encoder in the last 15 s."),
    Metric.CACHE_LOOKUPS: MetricDescription(
        _COUNTER, (*_ARM, Label.RESULT), "Frames looked up in the embed cache: hit or miss."
    ),
    Metric.CACHE_QUERIES: MetricDescription(
        _COUNTER, (*_ARM, Label.RESULT), "Queries; cold ones had a frame to encode."
    ),
    Metric.STAGE_DURATION: MetricDescription(_HISTOGRAM, (*_ARM, Label.STAGE), "Seconds in one stage of the pipeline."),
    Metric.ROLLOUT_WEIGHT: MetricDescription(
        _GAUGE, (*_ROLLOUT, Label.ARM, Label.SAMPLER_VARIANT), "An arm's share of 10000."
    ),
    Metric.ROLLOUT_VERDICT: MetricDescription(
        _GAUGE, (*_ROLLOUT, Label.VERDICT), "1 for the present verdict, 0 for the others."
    ),
    Metric.ROLLOUT_PHASE: MetricDescription(
        _GAUGE, (*_ROLLOUT, Label.PHASE), "1 for the present phase, 0 for the others."
    ),
    Metric.GATE_LOG_E: MetricDescription(_GAUGE, _PROCESS, "Natural logarithm of a gate's e-value."),
    Metric.GATE_THRESHOLD: MetricDescription(_GAUGE, _PROCESS, "Natural logarithm from which on the e-value is proof."),
    Metric.FLAG_EVALUATIONS: MetricDescription(
        _COUNTER, (Label.FLAG, Label.VARIANT, Label.REASON), "Flag evaluations."
    ),
    Metric.FLAG_STALE: MetricDescription(
        _GAUGE, (), "1 while the last known flags are served because the service is away."
    ),
    Metric.FLAG_PROPAGATION: MetricDescription(
        _HISTOGRAM, (), "Seconds from a flag's write to its being visible in a process."
    ),
}
