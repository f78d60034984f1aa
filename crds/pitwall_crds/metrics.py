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
_RUN: Final = (*_ARM, Label.RUN)
_ROLLOUT: Final = (Label.ROLLOUT_NAMESPACE, Label.ROLLOUT)
_PROCESS: Final = (*_ROLLOUT, Label.GATE, Label.PROCESS)

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
        _COUNTER,
        (*_ARM, Label.REASON),
        "Questions that another one answered: stable, stable's second try, or a candidate for stable.",
    ),
    Metric.SUBSTITUTES: MetricDescription(
        _COUNTER,
        (*_ARM, Label.OUTCOME),
        "Questions that a candidate was to answer because stable's pods could not; error: it failed, or had enough.",
    ),
    Metric.USERS: MetricDescription(
        _COUNTER,
        (*_ARM, Label.SPLIT),
        "Users at their first question under a split, by the arm they got; only the split that the gateway follows.",
    ),
    Metric.HISTORY_LATENCY: MetricDescription(
        _HISTOGRAM,
        _ARM,
        "Seconds from question to answer lately, counted as gates weigh them, in all runs and outside of them.",
    ),
    Metric.HISTORY_SELECTION: MetricDescription(
        _HISTOGRAM,
        _ARM,
        "Seconds that the sampler took to choose the frames, as answers tell it, counted as gates weigh them.",
    ),
    Metric.EVIDENCE_QUERIES: MetricDescription(
        _COUNTER, (*_RUN, Label.OUTCOME), "Questions of a run, by whether the assigned variant answered."
    ),
    Metric.EVIDENCE_WITHIN: MetricDescription(
        _COUNTER, (*_RUN, Label.QUANTITY, Label.EDGE), "Questions of a run that took at most so many seconds."
    ),
    Metric.EVIDENCE_BEYOND: MetricDescription(
        _COUNTER,
        (*_RUN, Label.QUANTITY, Label.EDGE),
        "Questions of a run that are known to take longer than so many seconds, answered or not.",
    ),
    Metric.EVIDENCE_ABANDONED: MetricDescription(
        _COUNTER,
        (*_RUN, Label.EDGE),
        "Questions of a run whose callers had enough of waiting after at most so many seconds; excused ones, and those "
        "that an open circuit kept from the variant, at once.",
    ),
    Metric.EVIDENCE_EXCUSED: MetricDescription(
        _COUNTER,
        _RUN,
        "Questions and copies of a run that stable answered and the assigned variant blamed the video's server for, "
        "or had not prepared the video for, beyond what counts nowhere.",
    ),
    Metric.EVIDENCE_VALUE: MetricDescription(
        _COUNTER, (*_RUN, Label.QUANTITY), "Sum over a run's answers of what was measured, seconds or tokens."
    ),
    Metric.EVIDENCE_VALUED: MetricDescription(
        _COUNTER, (*_RUN, Label.QUANTITY), "Answers of a run that this was measured of."
    ),
    Metric.EVIDENCE_CACHE_QUERIES: MetricDescription(
        _COUNTER, (*_RUN, Label.RESULT), "Answers of a run; cold ones had a frame to encode."
    ),
    Metric.EVIDENCE_QUALITY: MetricDescription(
        _COUNTER,
        (*_RUN, Label.SIGNAL, Label.UNIT, Label.OUTCOME),
        "Quality trials of a run whose label is known, counted once each.",
    ),
    Metric.EVIDENCE_PAIRS: MetricDescription(
        _COUNTER, (*_RUN, Label.OUTCOME), "Copies of a run's questions, by whether the shadow answered."
    ),
    Metric.EVIDENCE_RATIO_WITHIN: MetricDescription(
        _COUNTER,
        (*_RUN, Label.QUANTITY, Label.EDGE),
        "Pairs of a run in which the shadow's value was at most so many times the primary's.",
    ),
    Metric.EVIDENCE_RATIOS: MetricDescription(
        _COUNTER, (*_RUN, Label.QUANTITY), "Pairs of a run of which both values are known."
    ),
    Metric.CAPPED_TRIALS: MetricDescription(
        _COUNTER,
        (*_ARM, Label.REASON),
        "Trials that do not count because their user or caller has its share of them already.",
    ),
    Metric.EVIDENCE_MEMORY: MetricDescription(
        _GAUGE,
        (Label.SAMPLER_VARIANT,),
        "Seconds after which slow questions of a variant at one pod are no longer correlated.",
    ),
    Metric.EVIDENCE_HISTORY: MetricDescription(
        _GAUGE, (Label.SAMPLER_VARIANT,), "Seconds of history behind that estimate."
    ),
    Metric.EVIDENCE_SILENCE: MetricDescription(
        _GAUGE,
        _ARM,
        "Seconds since no machine answered at the address of an arm's pod, be it to refuse; for ten minutes after.",
    ),
    Metric.EVIDENCE_CALLERS: MetricDescription(
        _GAUGE,
        (*_RUN, Label.KIND, Label.CALLER),
        "Trials of a run that count, of the callers with most of them; an empty caller stands for all others.",
    ),
    Metric.EVIDENCE_ERROR: MetricDescription(
        _GAUGE,
        (*_RUN, Label.QUANTITY, Label.EDGE, Label.UNIT),
        "Standard error of a run's share of queries beyond an edge, or of its mean (edge mean), if queries were "
        "independent (unit query), and with users as the independent ones (unit user); the same of what most users "
        "show (units query-of-most and most-users).",
    ),
    Metric.EVIDENCE_SHIFT: MetricDescription(
        _GAUGE,
        (*_RUN, Label.QUANTITY, Label.EDGE),
        "By how much a run's share of queries beyond an edge, or its mean (edge mean), is larger without the few users "
        "who differ most from it: two, and one of a hundred.",
    ),
    Metric.EVIDENCE_ONE_USER: MetricDescription(
        _COUNTER,
        (*_RUN, Label.QUANTITY, Label.EDGE),
        "Of a run's queries beyond an edge, and of those that failed or were cold (edge mean), those of the one user "
        "who has most of them.",
    ),
    Metric.EVIDENCE_SERVED: MetricDescription(
        _GAUGE,
        (*_RUN, Label.OUTCOME),
        "Users of a run: those whom it fails (three of their questions, and half of all, failed), and all others.",
    ),
    Metric.EVIDENCE_USERS: MetricDescription(
        _GAUGE,
        (*_RUN, Label.QUANTITY),
        "So many users with equally many queries would say as much as those of a run did.",
    ),
    Metric.LABEL_WINDOW: MetricDescription(
        _GAUGE, (Label.UNIT,), "Seconds after an answer in which its labels may arrive, by the unit of a trial."
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
    Metric.CACHE_TIERS: MetricDescription(
        _COUNTER,
        (*_ARM, Label.TIER, Label.RESULT),
        "Frames looked up in a tier of the embed cache (memory, disk, redis, s3); a slower one is asked for the rest.",
    ),
    Metric.FRAME_LOOKUPS: MetricDescription(
        _COUNTER,
        (*_ARM, Label.RESULT),
        "Questions whose video's frames were in the frame store, here or in object storage: hit, or miss if they had "
        "to be decoded.",
    ),
    Metric.FRAME_TIERS: MetricDescription(
        _COUNTER,
        (*_ARM, Label.TIER, Label.RESULT),
        "Questions whose video's frames were in a tier of the frame store (disk, s3); the slower one is asked second.",
    ),
    Metric.CACHE_BYTES: MetricDescription(
        _GAUGE,
        (Label.SAMPLER_VARIANT, Label.KIND),
        "Bytes on the disk in the cache folder of a process: frames, embeddings, downloads, questions, addresses; "
        "others may share it.",
    ),
    Metric.CACHE_EVICTIONS: MetricDescription(
        _COUNTER,
        (Label.SAMPLER_VARIANT, Label.KIND),
        "Entries that a process evicted from the cache folder: pools of frames, videos' embeddings, downloads, "
        "questions, addresses.",
    ),
    Metric.CACHE_QUERIES: MetricDescription(
        _COUNTER, (*_ARM, Label.RESULT), "Queries; cold ones had a frame to encode."
    ),
    Metric.STAGE_DURATION: MetricDescription(_HISTOGRAM, (*_ARM, Label.STAGE), "Seconds in one stage of the pipeline."),
    Metric.INGEST_QUEUE: MetricDescription(
        _GAUGE, (Label.STATE,), "Videos in the ingest queue: waiting, taken by a worker, or dead."
    ),
    Metric.INGEST_JOBS: MetricDescription(
        _COUNTER, (Label.OUTCOME,), "Ingest jobs that ended at this worker: ready, failed, or to be tried again."
    ),
    Metric.ROLLOUT_WEIGHT: MetricDescription(
        _GAUGE, (*_ROLLOUT, Label.ARM, Label.SAMPLER_VARIANT), "An arm's share of 10000."
    ),
    Metric.ROLLOUT_VERDICT: MetricDescription(
        _GAUGE, (*_ROLLOUT, Label.VERDICT), "1 for the present verdict, 0 for the others."
    ),
    Metric.ROLLOUT_PHASE: MetricDescription(
        _GAUGE, (*_ROLLOUT, Label.PHASE), "1 for the present phase, 0 for the others."
    ),
    Metric.ROLLOUT_CONDITION: MetricDescription(
        _GAUGE,
        (*_ROLLOUT, Label.CONDITION),
        "1 for a condition that is True, 0 for one that is False; none if Unknown.",
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
