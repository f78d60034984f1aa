"""Panels about the operator's decisions and the evidence behind them."""

from typing import Final

from pitwall_crds.names import Arm, Label, Metric, Outcome, Signal
from pitwall_dashboards.panel import Panel, PanelType, Query
from pitwall_dashboards.promql import equals, gauge, matches, per_minute, proof, quantile, share
from pitwall_dashboards.scopes import BY_VARIANT, CHASSIS, FAILURE_WINDOW, PROCESSES, QUALITY_WINDOW, ROLLOUTS, legend

HARM: Final = matches(Label.PROCESS, ".*harm")
"""The processes that prove harm, with pairs (shadow) and without."""

TARGETS_DOWN: Final = 'count(up{job=~".*pitwall.*"} == 0) or vector(0)'

_VERDICTS: Final = {"/Harmful/": "red", "/NonInferior/": "green", "/Inconclusive/": "blue", "/Unmeasured/": "orange"}
_PHASES: Final = {"/FlaggedOff|Aborted|Invalid/": "red", "/Stable/": "green", "/Shadow|Canary|Bake/": "blue"}

VERDICT: Final = Panel(
    PanelType.STAT,
    "Verdict",
    "What the evidence says: Harmful, NonInferior, Inconclusive (not enough yet) or Unmeasured (no data).",
    5,
    (
        Query(
            gauge(ROLLOUTS.keeping(Label.ROLLOUT, Label.VERDICT), Metric.ROLLOUT_VERDICT) + " == 1",
            legend(Label.ROLLOUT, Label.VERDICT),
        ),
    ),
    names_only=True,
    colours=_VERDICTS,
)
PHASE: Final = Panel(
    PanelType.STAT,
    "Stage",
    "Where the rollout stands: Shadow, Canary, Bake, Stable, FlaggedOff, Aborted.",
    4,
    (
        Query(
            gauge(ROLLOUTS.keeping(Label.ROLLOUT, Label.PHASE), Metric.ROLLOUT_PHASE) + " == 1",
            legend(Label.ROLLOUT, Label.PHASE),
        ),
    ),
    names_only=True,
    colours=_PHASES,
)
WEIGHT: Final = Panel(
    PanelType.STAT,
    "Candidate's share",
    "How much of the traffic the candidate answers; none while it runs in shadow.",
    3,
    (
        Query(
            gauge(ROLLOUTS, Metric.ROLLOUT_WEIGHT, equals(Label.ARM, Arm.CANDIDATE)) + " / 100", legend(Label.ROLLOUT)
        ),
    ),
    unit="percent",
    empty="none",
)
STRONGEST_HARM: Final = Panel(
    PanelType.STAT,
    "Strongest evidence of harm",
    "The largest log e-value of a harm process as a part of its threshold; at 100 % harm is proven.",
    4,
    (Query(f"max by ({Label.ROLLOUT}) ({proof(PROCESSES, HARM)})", legend(Label.ROLLOUT)),),
    unit="percentunit",
    decimals=0,
    threshold="1",
)
FALLEN_BACK: Final = Panel(
    PanelType.STAT,
    "Answered by stable instead",
    "Questions per minute that a variant failed and stable answered.",
    3,
    (Query(f"sum({per_minute(BY_VARIANT, Metric.FALLBACKS)}) or vector(0)"),),
    decimals=1,
    threshold="1",
)
FLAGS_STALE: Final = Panel(
    PanelType.STAT,
    "Processes with stale flags",
    "They serve the last flags they saw, because the flag service cannot be reached.",
    3,
    (Query(f"sum({Metric.FLAG_STALE}) or vector(0)"),),
    threshold="1",
)
DOWN: Final = Panel(
    PanelType.STAT,
    "Targets down",
    "Scraped processes of Pitwall that do not answer.",
    2,
    (Query(TARGETS_DOWN),),
    threshold="1",
)

SPLIT: Final = Panel(
    PanelType.TIME_SERIES,
    "Split",
    "Who gets which share of the traffic.",
    8,
    (
        Query(
            gauge(ROLLOUTS.keeping(Label.ROLLOUT, Label.ARM, Label.SAMPLER_VARIANT), Metric.ROLLOUT_WEIGHT) + " / 100",
            legend(Label.ARM, Label.SAMPLER_VARIANT),
        ),
    ),
    unit="percent",
    maximum=100,
    stacked=True,
)
EVIDENCE: Final = Panel(
    PanelType.TIME_SERIES,
    "Evidence per gate, as a part of proof",
    "Log e-value divided by its threshold. A harm process at 1 flags off or holds; all non-inferiority processes at 1 "
    "let the rollout move on.",
    8,
    (Query(proof(PROCESSES), legend(Label.GATE, Label.PROCESS)),),
    threshold="1",
)
QUALITY: Final = Panel(
    PanelType.TIME_SERIES,
    "Quality proxies: bad share",
    f"Share of labelled trials that were bad, over {QUALITY_WINDOW}: thumbs-down, follow-up question, task abandoned.",
    8,
    tuple(
        Query(
            share(
                CHASSIS.over(QUALITY_WINDOW),
                Metric.QUALITY,
                equals(Label.OUTCOME, Outcome.BAD),
                among=(equals(Label.SIGNAL, signal), matches(Label.UNIT, "query|session")),
            ),
            f"{signal.replace('_', ' ')} {legend(Label.SAMPLER_VARIANT, Label.ARM)}",
        )
        for signal in Signal
    ),
    unit="percentunit",
)
GATES: Final = Panel(
    PanelType.TABLE,
    "Gates: e-value and threshold",
    "Each gate's processes; at 100 % of its threshold a process is proof. Natural logarithms.",
    7,
    (
        Query(gauge(PROCESSES, Metric.GATE_LOG_E), "log e"),
        Query(gauge(PROCESSES, Metric.GATE_THRESHOLD), "proof from"),
        Query(proof(PROCESSES), "of proof"),
    ),
    decimals=1,
    columns={"of proof": "percentunit"},
)
FALLBACKS: Final = Panel(
    PanelType.TIME_SERIES,
    "Failures per minute",
    f"Questions that a variant failed, over {FAILURE_WINDOW}; those with a reason were answered by stable.",
    4,
    (
        Query(
            per_minute(CHASSIS.over(FAILURE_WINDOW).keeping(Label.SAMPLER_VARIANT, Label.REASON), Metric.FALLBACKS),
            legend(Label.SAMPLER_VARIANT, Label.REASON),
        ),
        Query(
            per_minute(CHASSIS.over(FAILURE_WINDOW), Metric.QUERIES, equals(Label.OUTCOME, Outcome.ERROR)),
            f"errors {legend(Label.SAMPLER_VARIANT, Label.ARM)}",
        ),
    ),
)
SHADOW: Final = Panel(
    PanelType.TIME_SERIES,
    "Shadow ÷ primary",
    "Median over pairs of the same question: 1 is equal, above is slower or more tokens. Right axis: pairs per minute.",
    4,
    (
        Query(quantile(BY_VARIANT, Metric.SHADOW_LATENCY_RATIO, "0.5"), f"latency {legend(Label.SAMPLER_VARIANT)}"),
        Query(quantile(BY_VARIANT, Metric.SHADOW_TOKENS_RATIO, "0.5"), f"tokens {legend(Label.SAMPLER_VARIANT)}"),
        Query(per_minute(BY_VARIANT, Metric.SHADOW_PAIRS), f"pairs/min {legend(Label.SAMPLER_VARIANT)}"),
    ),
    right_axis="/^pairs/",
)
