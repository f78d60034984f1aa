"""Names that more than one process uses: group, labels, arms, headers, metrics, event reasons."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

GROUP: Final = "pitwall.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "pitwall.dev/v1alpha1"
CATEGORY: Final = "pitwall"
FIELD_MANAGER: Final = "pitwall-operator"

FULL_WEIGHT: Final = 10_000
"""The constant total of every split, in basis points."""


class Arm(StrEnum):
    """Which share of the traffic a query belongs to; the flag's variant key."""

    CANDIDATE = "candidate"
    CONTROL = "control"
    STABLE = "stable"
    SHADOW = "shadow"


class Pool(StrEnum):
    """Runtime processes (pods) of one variant that share a purpose."""

    MAIN = "main"
    CONTROL = "control"
    CANDIDATE = "candidate"
    """Only while a variant of the same name is stable: its edited spec proves itself beside the old one."""


POOL_ARMS: Final[Mapping[Pool, tuple[Arm, ...]]] = {
    Pool.MAIN: (Arm.STABLE,),
    Pool.CONTROL: (Arm.CONTROL,),
    Pool.CANDIDATE: (Arm.CANDIDATE, Arm.SHADOW),
}
"""The arms that a pool serves; work that no request names counts for the first. A variant without the pool of its own
for an arm is served by its main pool."""

FLAG_KEY: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""What the key of a feature flag must match."""
FLAG_CHARACTERS: Final = 128
"""The most that a Rollout's flag may have."""

SHADOW_SUFFIX: Final = ".shadow"
EXPERIMENT_SUFFIX: Final = ".experiment"
EXPERIMENT_INFIX: Final = f"{EXPERIMENT_SUFFIX}."


def shadow_flag(flag: str) -> str:
    """The key of the flag of the candidate's copies."""
    return f"{flag}{SHADOW_SUFFIX}"


def experiment_flag(flag: str, variant: str) -> str:
    """The key of the flag of an experiment's copies; without a variant, what all these keys begin with."""
    return f"{flag}{EXPERIMENT_INFIX}{variant}"


def main_flag(key: str) -> str:
    """The flag whose copies a key is about; empty for a flag that is about no copies."""
    head, found, _ = key.partition(EXPERIMENT_INFIX)
    if found:
        return head
    return key.removesuffix(SHADOW_SUFFIX) if key.endswith(SHADOW_SUFFIX) else ""


def is_reserved(key: str) -> bool:
    """Whether no traffic's flag may be called so: it is one of copies, or its own copies' flags would be another's:
    `a.experiment.shadow` is an experiment of `a`."""
    return bool(main_flag(key)) or key.endswith(EXPERIMENT_SUFFIX)


def copies_salt(run: str, flag: str) -> str:
    """The salt of a flag of copies: the run, and a draw of its own, lest the users of every arm, shadow and experiment
    be the same ones. A salt has 64 characters at most: of a run that is called as its flag there may be too many."""
    return f"{run[:51]}/{hashlib.sha256(flag.encode()).hexdigest()[:12]}"


def run_of(salt: str) -> str:
    """The run that a flag's salt belongs to."""
    return salt.partition("/")[0]


class Header(StrEnum):
    """HTTP headers of an answer and of the gateway's calls to a runtime."""

    VARIANT = "x-pitwall-variant"
    ARM = "x-pitwall-arm"
    ANSWER_ID = "x-pitwall-answer-id"
    SESSION = "x-pitwall-session"
    FALLBACK = "x-pitwall-fallback"
    IDENTITY = "x-pitwall-identity"
    """A signed token that says for which user and session a caller speaks."""
    OWNER = "x-pitwall-owner"
    """Whose videos a call to a runtime is about, as a digest that the gateway makes; without it, everybody's."""
    PARTY = "x-pitwall-party"
    """Who asks a runtime, as two digests that the gateway makes: the caller's and, behind a dot, the user's, which may
    be empty. Without it, everybody."""
    TRACE = "traceparent"
    DEADLINE = "pitwall-deadline-ms"
    """Milliseconds that are left for the answer, when the request is sent."""


class ObjectLabel(StrEnum):
    """Labels of the operator's Deployments, pods and Services; a Service's EndpointSlices carry them too."""

    NAME = "app.kubernetes.io/name"
    MANAGED_BY = "app.kubernetes.io/managed-by"
    VARIANT = "pitwall.dev/variant"
    POOL = "pitwall.dev/pool"
    REVISION = "pitwall.dev/revision"
    INSTANCE = "pitwall.dev/instance"
    """Of a Rollout or SamplerVariant: which of several operators it is for; without it, the one without a name."""


GATEWAY_END: Final = "-gateway"
"""What the names of the gateways' Deployments end with, and no variant's may: by it their pods are known."""

RUNTIME_NAME: Final = "pitwall-runtime"
"""The value of the label NAME on runtime pods."""

MANAGED_BY: Final = "pitwall"
"""The value of the label `managed-by` on everything that the operator owns."""


class Label(StrEnum):
    """Metric label names."""

    SAMPLER_VARIANT = "sampler_variant"
    ARM = "arm"
    OUTCOME = "outcome"
    RESULT = "result"
    SIGNAL = "signal"
    UNIT = "unit"
    STAGE = "stage"
    ROLLOUT = "rollout"
    ROLLOUT_NAMESPACE = "rollout_namespace"
    """Of the Rollout; the label `namespace`, which Prometheus gives, is the exporting process's."""
    GATE = "gate"
    PROCESS = "process"
    SPLIT = "split"
    RUN = "run"
    QUANTITY = "quantity"
    EDGE = "edge"
    FLAG = "flag"
    VARIANT = "variant"
    REASON = "reason"
    VERDICT = "verdict"
    PHASE = "phase"
    CONDITION = "condition"
    STATE = "state"
    TIER = "tier"
    KIND = "kind"
    CALLER = "caller"


class ErrorUnit(StrEnum):
    """What a standard error takes for independent; values of the label `unit`. The last two leave the few users out who
    differ most."""

    QUERY = "query"
    USER = "user"
    MOST_USERS = "most-users"
    QUERY_OF_MOST = "query-of-most"


class Metric(StrEnum):
    """Every metric that Pitwall exports. Those about questions carry `sampler_variant` and `arm`."""

    # gateway: what the user saw
    QUERY_LATENCY = "pitwall_query_latency_seconds"
    QUERIES = "pitwall_queries_total"
    REFUSALS = "pitwall_refusals_total"
    QUALITY = "pitwall_quality_total"
    SHADOW_LATENCY_RATIO = "pitwall_shadow_latency_ratio"
    SHADOW_TOKENS_RATIO = "pitwall_shadow_tokens_ratio"
    SHADOW_PAIRS = "pitwall_shadow_pairs_total"
    SHADOW_DROPPED = "pitwall_shadow_dropped_total"
    FALLBACKS = "pitwall_fallbacks_total"
    SUBSTITUTES = "pitwall_substitutes_total"
    USERS = "pitwall_users_total"
    # gateway: what thresholds are frozen from; nobody has more than a share of it
    HISTORY_LATENCY = "pitwall_history_latency_seconds"
    HISTORY_SELECTION = "pitwall_history_selection_seconds"
    # gateway: what gates weigh, by the run (the split's salt) to which the question was assigned
    EVIDENCE_QUERIES = "pitwall_evidence_queries_total"
    EVIDENCE_WITHIN = "pitwall_evidence_within_total"
    EVIDENCE_BEYOND = "pitwall_evidence_beyond_total"
    EVIDENCE_ABANDONED = "pitwall_evidence_abandoned_total"
    EVIDENCE_EXCUSED = "pitwall_evidence_excused_total"
    EVIDENCE_VALUE = "pitwall_evidence_value_total"
    EVIDENCE_VALUED = "pitwall_evidence_valued_total"
    EVIDENCE_CACHE_QUERIES = "pitwall_evidence_cache_queries_total"
    EVIDENCE_QUALITY = "pitwall_evidence_quality_total"
    EVIDENCE_PAIRS = "pitwall_evidence_pairs_total"
    EVIDENCE_RATIO_WITHIN = "pitwall_evidence_ratio_within_total"
    EVIDENCE_RATIOS = "pitwall_evidence_ratios_total"
    EVIDENCE_MEMORY = "pitwall_evidence_memory_seconds"
    CAPPED_TRIALS = "pitwall_capped_trials_total"
    EVIDENCE_HISTORY = "pitwall_evidence_history_seconds"
    EVIDENCE_SILENCE = "pitwall_evidence_silence_seconds"
    EVIDENCE_CALLERS = "pitwall_evidence_callers"
    EVIDENCE_ERROR = "pitwall_evidence_standard_error"
    EVIDENCE_USERS = "pitwall_evidence_effective_users"
    EVIDENCE_SHIFT = "pitwall_evidence_most_users_shift"
    EVIDENCE_SERVED = "pitwall_evidence_users"
    EVIDENCE_ONE_USER = "pitwall_evidence_one_user_total"
    LABEL_WINDOW = "pitwall_label_window_seconds"
    # runtime: what it cost
    TOKENS_PER_QUERY = "pitwall_tokens_per_query"
    FRAME_SELECTION = "pitwall_frame_selection_seconds"
    ENCODER_BUSY = "pitwall_encoder_busy_seconds_total"
    ENCODER_UTILIZATION = "pitwall_encoder_utilization_ratio"
    CACHE_LOOKUPS = "pitwall_embed_cache_lookups_total"
    CACHE_QUERIES = "pitwall_embed_cache_queries_total"
    CACHE_TIERS = "pitwall_embed_cache_tier_lookups_total"
    FRAME_LOOKUPS = "pitwall_frame_store_lookups_total"
    FRAME_TIERS = "pitwall_frame_store_tier_lookups_total"
    CACHE_BYTES = "pitwall_cache_bytes"
    CACHE_EVICTIONS = "pitwall_cache_evictions_total"
    STAGE_DURATION = "pitwall_stage_duration_seconds"
    # ingest workers: what waits, and what came of it
    INGEST_QUEUE = "pitwall_ingest_queue_videos"
    INGEST_JOBS = "pitwall_ingest_jobs_total"
    # operator: what it decided
    ROLLOUT_WEIGHT = "pitwall_rollout_weight_basis_points"
    ROLLOUT_VERDICT = "pitwall_rollout_verdict"
    ROLLOUT_PHASE = "pitwall_rollout_phase"
    ROLLOUT_CONDITION = "pitwall_rollout_condition"
    GATE_LOG_E = "pitwall_gate_log_e_value"
    GATE_THRESHOLD = "pitwall_gate_log_threshold"
    # flags
    FLAG_EVALUATIONS = "pitwall_flag_evaluations_total"
    FLAG_STALE = "pitwall_flags_stale"
    FLAG_PROPAGATION = "pitwall_flag_propagation_seconds"


class Signal(StrEnum):
    """Quality proxies, values of the label `signal` of `pitwall_quality_total`; outcome is `bad` or `good`."""

    THUMBS_DOWN = "thumbs_down"
    FOLLOW_UP = "follow_up"
    TASK_ABANDONED = "task_abandoned"


class TrialKind(StrEnum):
    """Values of the label `kind` of `pitwall_evidence_callers`, beside `opinion_kind`."""

    QUESTION = "question"
    COPY = "copy"


def opinion_kind(signal: Signal, unit: str) -> str:
    """The kind of the trials of one signal, counted by one unit in lower case."""
    return f"{signal} {unit}"


class Outcome(StrEnum):
    """Values of the label `outcome`."""

    OK = "ok"
    ERROR = "error"
    GOOD = "good"
    BAD = "bad"


class Quantity(StrEnum):
    """Values of the label `quantity`: what was measured of an answered question."""

    LATENCY = "latency"
    SELECTION = "selection"
    TOKENS = "tokens"
    ENCODER = "encoder"


MEAN: Final = "mean"
"""In place of an edge in the label `edge`: what is told is told of a quantity's mean."""


class CacheResult(StrEnum):
    """Values of the label `result`: of one lookup (hit, miss) and of one query (warm, cold)."""

    HIT = "hit"
    MISS = "miss"
    WARM = "warm"
    COLD = "cold"


class EventReason(StrEnum):
    """Reasons of Kubernetes Events and of the embedded event log; one cause each."""

    STAGE_STARTED = "StageStarted"
    PROMOTED = "Promoted"
    FLAGGED_OFF = "FlaggedOff"
    ABORTED = "Aborted"
    APPROVED = "Approved"
    WITHDRAWN = "Withdrawn"
    ADOPTED = "Adopted"
    IGNORED = "Ignored"
    REFUSED = "Refused"
    DEADLINE = "ProgressDeadlineExceeded"
    INVALID = "InvalidSpec"
    BROKEN = "TurnBroke"
