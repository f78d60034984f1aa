"""Gate: the rule for one metric, with what is compared, by which margin, and what happens on proven harm."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from pitwall_crds.resource import Border, Name, cel_rules


class QuantileMetric(StrEnum):
    """Metrics whose tail can be gated."""

    QUERY_LATENCY = "QueryLatency"
    FRAME_SELECTION = "FrameSelection"


class RateMetric(StrEnum):
    """Bad events among trials."""

    ERRORS = "Errors"
    COLD_QUERIES = "ColdQueries"
    THUMBS_DOWN = "ThumbsDown"
    FOLLOW_UP = "FollowUp"
    TASK_ABANDONED = "TaskAbandoned"


OF_ANSWERS = frozenset({RateMetric.THUMBS_DOWN, RateMetric.FOLLOW_UP, RateMetric.TASK_ABANDONED})
"""What people think of an answer. The sampler makes the answer, whichever pods it ran on."""


SHARED_WARMUP_SECONDS = 600
"""A cold start is over by then; a control on pods that have long been warm does not share it."""


class MeanMetric(StrEnum):
    """Metrics whose mean can be gated."""

    TOKENS_PER_QUERY = "TokensPerQuery"
    FRAME_SELECTION = "FrameSelection"
    ENCODER_UTILIZATION = "EncoderUtilization"


class Unit(StrEnum):
    """What one trial of a rate is."""

    QUERY = "Query"
    SESSION = "Session"
    USER = "User"


class Dependence(StrEnum):
    """Whether trials inside a block may be correlated (Block) or are taken as independent (Query)."""

    BLOCK = "Block"
    QUERY = "Query"


class OnHarm(StrEnum):
    """What proven harm does."""

    FLAG_OFF = "FlagOff"
    HOLD = "Hold"
    OBSERVE = "Observe"


class QuantileRule(Border):
    """Compares the share of queries beyond a bucket edge frozen from the control's own history."""

    model_config = cel_rules(
        (
            "self.metric != 'FrameSelection' || !has(self.objectiveMilliseconds)"
            " || self.objectiveMilliseconds <= 16000",
            "frame selection is measured up to 16 s: set objectiveMilliseconds to at most 16000",
        )
    )

    metric: QuantileMetric
    per_mille: Annotated[int, Field(ge=500, le=999, description="990 is p99.")] = 990
    objective_milliseconds: Annotated[
        int,
        Field(
            ge=0,
            le=60_000,
            description="If set, this quantile of the candidate must also stay below, whatever the control does and in "
            "the bake too: proven above is harm, and a stage is passed only when proven below. Counted at the next "
            "bucket edge, at most 12 % (latency) or 26 % (frame selection) higher.",
        ),
    ] = 0

    @model_validator(mode="after")
    def _is_measured(self) -> "QuantileRule":
        if self.metric is QuantileMetric.FRAME_SELECTION and self.objective_milliseconds > 16_000:
            raise ValueError(
                "frame selection is measured up to 16 s: set objectiveMilliseconds to at most 16000, "
                f"not {self.objective_milliseconds}"
            )
        return self


class RateRule(Border):
    """Compares the share of bad trials."""

    model_config = cel_rules(
        (
            "!(self.metric in ['Errors', 'ColdQueries']) || !has(self.unit) || self.unit == 'Query'",
            "Errors and ColdQueries are counted per query: leave unit out, or set it to Query",
        ),
        (
            "self.metric != 'TaskAbandoned' || !has(self.unit) || self.unit != 'Query'",
            "a task belongs to a session: with TaskAbandoned set unit to Session or User, or leave it out",
        ),
    )

    metric: RateMetric
    unit: Annotated[
        Unit | None,
        Field(
            description="What one trial is: a query with its own label, a session (once in a run, five label windows "
            "after its first answer), or a user (once a day and run, an hour after the first answer; bad if anything "
            "was bad in that hour). Default: User for what people think of answers, since few users ask most "
            "questions; Query for Errors and ColdQueries."
        ),
    ] = None
    objective_basis_points: Annotated[
        int,
        Field(
            ge=0,
            le=9_999,
            description="If set, the candidate's bad rate must also stay below this many hundredths of a percent, "
            "whatever the control does and in the bake too: proven above is harm, and a stage is passed only when "
            "proven below.",
        ),
    ] = 0
    label_delay_seconds: Annotated[
        int | None,
        Field(
            ge=0,
            le=604_800,
            description="How long after the answer a label may arrive. Blocks that began so soon after the weights "
            "changed are not weighed, since bad labels come sooner than good ones. Default, and least for User and "
            "Session: the window that the gateway publishes.",
        ),
    ] = None

    @model_validator(mode="after")
    def _unit_fits(self) -> "RateRule":
        if self.metric not in OF_ANSWERS and self.unit not in (None, Unit.QUERY):
            raise ValueError(
                f"Errors and ColdQueries are counted per query: leave unit out, or set it to Query, not {self.unit}"
            )
        if self.metric is RateMetric.TASK_ABANDONED and self.unit is Unit.QUERY:
            raise ValueError(
                "a task belongs to a session: with TaskAbandoned set unit to Session or User, or leave it out"
            )
        return self

    @property
    def trial(self) -> Unit:
        """What one trial is, whether it was said or not."""
        return self.unit or (Unit.USER if self.metric in OF_ANSWERS else Unit.QUERY)


class MeanRule(Border):
    """Compares means per query. EncoderUtilization is the encoder's busy seconds per query: at the same traffic on the
    same pods, its ratio between two variants is the ratio of their utilizations."""

    metric: MeanMetric


class Gate(Border):
    """One metric's rule. Exactly one of quantile, rate and mean must be set."""

    model_config = cel_rules(
        (
            "[has(self.quantile), has(self.rate), has(self.mean)].exists_one(isSet, isSet)",
            "a gate must set exactly one of quantile, rate and mean",
        ),
        (
            "!has(self.mean) || !has(self.absoluteMarginBasisPoints) || self.absoluteMarginBasisPoints == 0",
            "absoluteMarginBasisPoints is a difference of rates: leave it out with mean",
        ),
    )

    name: Annotated[Name, Field(description="Names the gate in status, events and metrics; unique in the list.")]
    quantile: QuantileRule | None = None
    rate: RateRule | None = None
    mean: MeanRule | None = None
    margin_percent: Annotated[
        int, Field(ge=0, le=1000, description="How much worse the candidate may be before it counts as harm.")
    ] = 10
    promote_margin_percent: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1000)], ...],
        Field(
            min_length=1,
            max_length=16,
            description="How much larger the bad rate may be and still pass, for the first, second, … canary stage; "
            "the last value holds for the last stage that has a control, and for all stages beyond the list.",
        ),
    ] = (200, 100, 50, 25)
    absolute_margin_basis_points: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="If set, non-inferiority allows this difference of rates in place of the percentages; "
            "needed for events that normally never happen, such as errors.",
        ),
    ] = 0
    weight: Annotated[int, Field(ge=1, le=100, description="Share of the error budget relative to other gates.")] = 1
    minimum_trials: Annotated[
        int, Field(ge=0, le=10_000_000, description="No verdict before this many trials of the candidate.")
    ] = 0
    warmup_seconds: Annotated[
        int | None,
        Field(
            ge=0,
            le=604_800,
            description="Seconds left out of this gate, on both arms, from the candidate's first question on. Default: "
            "0; but 600 for what depends on pods (latency, frame selection, encoder, cold queries) where the control "
            "shares the stable's, which have long been warm.",
        ),
    ] = None
    dependence: Dependence = Dependence.BLOCK
    on_harm: OnHarm = OnHarm.FLAG_OFF

    @model_validator(mode="after")
    def _one_rule(self) -> "Gate":
        rules = [rule for rule in (self.quantile, self.rate, self.mean) if rule is not None]
        if len(rules) != 1:
            raise ValueError(f"gate {self.name!r} must set exactly one of quantile, rate and mean, not {len(rules)}")
        if self.mean and self.absolute_margin_basis_points:
            raise ValueError("absoluteMarginBasisPoints is a difference of rates: leave it out with mean")
        return self

    @property
    def is_about_answers(self) -> bool:
        """Whether people's judgement of answers is counted, rather than how pods get on."""
        return self.rate is not None and self.rate.metric in OF_ANSWERS

    @property
    def is_about_pods(self) -> bool:
        """Whether what is counted depends on how warm and how loaded the pods are, beside the sampler."""
        if self.mean is not None:
            return self.mean.metric is not MeanMetric.TOKENS_PER_QUERY
        return self.quantile is not None or (self.rate is not None and self.rate.metric is RateMetric.COLD_QUERIES)

    def warmup(self, *, dedicated_control: bool) -> int:
        """Seconds left out from the candidate's first question on, whether that was said or not."""
        if self.warmup_seconds is not None:
            return self.warmup_seconds
        return SHARED_WARMUP_SECONDS if self.is_about_pods and not dedicated_control else 0

    @property
    def objective(self) -> float:
        """The bad rate that this gate's absolute objective allows; 0 without one."""
        if self.quantile and self.quantile.objective_milliseconds:
            return 1 - self.quantile.per_mille / 1000
        return self.rate.objective_basis_points / 10_000 if self.rate else 0.0
