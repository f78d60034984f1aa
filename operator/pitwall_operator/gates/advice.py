"""Says of a rollout's gates and stages what cannot mean what their author hopes, in one sentence each with the remedy.

Pure: no clock, chance or I/O.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from pitwall_crds.names import FULL_WEIGHT
from pitwall_crds.rollout.gate import Dependence, Gate, OnHarm, RateMetric, Unit
from pitwall_crds.rollout.rollout import RolloutSpec

MOST: Final = 10
LONGEST: Final = 240
"""Kubernetes cuts a warning at 256 characters, and all warnings of one answer together at 4096."""

WIDEST_ABSOLUTE_MARGIN: Final = 5000
USUAL_LABEL_WINDOW: Final = 120
"""Seconds for which a gateway waits for a second question, unless it is told otherwise."""
SHORTEST_BLOCK_OF_PODS: Final = 10
"""Seconds. Queues of pods remember longer than shorter blocks."""
RISKIEST_PROMOTION: Final = 200
RISKIEST_ROLLBACK: Final = 50

Rule = Callable[[RolloutSpec, Gate], str]
"""What speaks against one gate; empty: nothing. Gates of which the same is said share a sentence."""


def advice(spec: RolloutSpec) -> tuple[str, ...]:
    """At most MOST sentences, the gravest first; none for an analysis that can do what it says."""
    found = tuple(_found(spec))
    if len(found) <= MOST:
        return found
    return (*found[: MOST - 1], f"{len(found) - MOST + 1} further pieces of advice are told once these are heeded")


def _found(spec: RolloutSpec) -> Iterator[str]:
    yield from _of_gates(spec, (_undecided, _unprovable, _gap, _uncompared))
    yield from _of_analysis(spec)
    rest = (_wide_margin, _rising, _early_labels, _busy_users, _unlike_control, _unjudged, _short_blocks, _dependent)
    yield from _of_gates(spec, rest)


def _of_gates(spec: RolloutSpec, rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        addressed: dict[str, list[str]] = {}
        for gate in spec.analysis.gates:
            if words := rule(spec, gate):
                addressed.setdefault(words, []).append(gate.name)
        yield from (_sentence(gates, words) for words, gates in addressed.items())


def _sentence(gates: Sequence[str], words: str) -> str:
    """As many of the gates by name as there is room for; the first one always."""
    told = f"gate {gates[0]}: {words}"
    for number in range(2, len(gates) + 1):
        rest = f" and {len(gates) - number} more" if number < len(gates) else ""
        longer = f"gates {', '.join(gates[:number])}{rest}: {words}"
        if len(longer) > LONGEST:
            return told if number > 2 else f"gates {gates[0]} and {len(gates) - 1} more: {words}"
        told = longer
    return told


def _of_analysis(spec: RolloutSpec) -> Iterator[str]:
    promotion, rollback = spec.analysis.false_promotion_per_mille, spec.analysis.false_rollback_per_mille
    last = spec.stages[-1]
    if last.bake_seconds and not last.bake_control_basis_points:
        yield (
            f"bakeSeconds {last.bake_seconds} with bakeControlBasisPoints 0: nobody stays on the old sampler, so "
            "in the bake only objectives act, and what is grossly slow; leave bakeControlBasisPoints out"
        )
    if promotion > RISKIEST_PROMOTION:
        yield (
            f"falsePromotionPerMille {promotion}: a candidate worse than its margin may pass a stage in "
            f"{promotion / 10:g}% of rollouts; set at most {RISKIEST_PROMOTION}, or leave it out (50)"
        )
    if rollback > RISKIEST_ROLLBACK:
        yield (
            f"falseRollbackPerMille {rollback}: a harmless candidate may be flagged off in {rollback / 10:g}% of "
            f"rollouts; set at most {RISKIEST_ROLLBACK}, or leave it out (10)"
        )


def _decides(gate: Gate) -> bool:
    """Whether a stage waits for this gate's proof."""
    return gate.on_harm is not OnHarm.OBSERVE


def _asks_for_ratio(gate: Gate) -> bool:
    """Whether promoteMarginPercent is what a stage asks this gate for."""
    return _decides(gate) and not gate.absolute_margin_basis_points


def _undecided(spec: RolloutSpec, gate: Gate) -> str:
    if any(_decides(other) for other in spec.analysis.gates):
        return ""
    return (
        f"onHarm {gate.on_harm} at every gate: nothing is flagged off, and only a person can pass a stage; set FlagOff "
        "or Hold at the gates that shall decide"
    )


def _unprovable(_: RolloutSpec, gate: Gate) -> str:
    if not (gate.rate and gate.rate.metric is RateMetric.ERRORS and _asks_for_ratio(gate)):
        return ""
    return (
        "absoluteMarginBasisPoints 0: errors normally never happen, and a ratio of what never happens is hardly ever "
        "proven; set it, such as to 100"
    )


def _gap(_: RolloutSpec, gate: Gate) -> str:
    """Of a quantile the two margins differ in meaning: by how much the edge, and by how much the share is higher."""
    last = gate.promote_margin_percent[-1]
    if gate.quantile or not _asks_for_ratio(gate) or last >= gate.margin_percent:
        return ""
    return (
        f"last promoteMarginPercent {last}, marginPercent {gate.margin_percent}: a candidate between them is no harm "
        "and may not pass, so it is held for ever; set the last as high"
    )


def _uncompared(spec: RolloutSpec, gate: Gate) -> str:
    weights = [stage.weight for stage in spec.stages if FULL_WEIGHT // 2 < stage.weight < FULL_WEIGHT]
    if not weights or spec.control.dedicated or not (gate.is_about_pods and _decides(gate)):
        return ""
    return (
        f"weightBasisPoints {weights[0]}: beyond half of the traffic a shared control's pods are loaded less, so "
        "pods are not compared; set control.dedicated true"
    )


def _wide_margin(_: RolloutSpec, gate: Gate) -> str:
    points = gate.absolute_margin_basis_points
    if points <= WIDEST_ABSOLUTE_MARGIN or not _decides(gate):
        return ""
    return (
        f"absoluteMarginBasisPoints {points}: even {points / 100:g} more bad ones in a hundred than the control's may "
        f"pass; set at most {WIDEST_ABSOLUTE_MARGIN}"
    )


def _rising(_: RolloutSpec, gate: Gate) -> str:
    rise = next(((one, two) for one, two in pairwise(gate.promote_margin_percent) if two > one), None)
    if rise is None or not _asks_for_ratio(gate):
        return ""
    return (
        f"promoteMarginPercent rises from {rise[0]} to {rise[1]}: a stage with more users asks for less than the one "
        "before; let the values fall"
    )


def _early_labels(_: RolloutSpec, gate: Gate) -> str:
    rule = gate.rate
    if rule is None or rule.metric not in (RateMetric.FOLLOW_UP, RateMetric.THUMBS_DOWN):
        return ""
    if rule.trial is not Unit.QUERY:  # judged when the window has passed, whatever is said here
        return ""
    if rule.label_delay_seconds is None or rule.label_delay_seconds >= USUAL_LABEL_WINDOW:
        return ""
    return (
        f"labelDelaySeconds {rule.label_delay_seconds}: bad labels come sooner than good ones, for which gateways "
        f"usually wait {USUAL_LABEL_WINDOW} s; leave it out to wait as long"
    )


def _busy_users(_: RolloutSpec, gate: Gate) -> str:
    if gate.rate is None or not gate.is_about_answers or gate.rate.trial is Unit.USER:
        return ""
    return (
        f"unit {gate.rate.trial}: few users ask most questions, so that one unhappy user looks like many; leave it "
        "out, and each User counts once"
    )


def _unlike_control(spec: RolloutSpec, gate: Gate) -> str:
    if spec.control.dedicated or not gate.is_about_pods:
        return ""
    return (
        "control.dedicated false: the control is answered by the big stable pool, long warm and with other queues than "
        "the candidate's; set it true"
    )


def _unjudged(spec: RolloutSpec, gate: Gate) -> str:
    """In a bake the control idles, and times alone have a record to be held against."""
    seconds, warmup = spec.stages[-1].bake_seconds, gate.warmup(dedicated_control=False)
    if not seconds or gate.objective or not (gate.is_about_pods and _decides(gate)):
        return ""
    if gate.quantile is None:
        words = "a shared control idles in the bake, so nothing judges it there; set control.dedicated true"
        return "" if spec.control.dedicated else words
    if gate.warmup_seconds is not None or seconds > warmup:
        return ""
    return (
        f"bakeSeconds {seconds}: pods have {warmup} s to warm up, so nothing judges it in the bake; make that longer, "
        "or set warmupSeconds or objectiveMilliseconds"
    )


def _short_blocks(spec: RolloutSpec, gate: Gate) -> str:
    seconds = spec.analysis.block_seconds
    if seconds is None or seconds >= SHORTEST_BLOCK_OF_PODS or not gate.is_about_pods:
        return ""
    return (
        f"blockSeconds {seconds}: queues remember longer than that, so that blocks are not independent; leave it out, "
        "and gateways measure it"
    )


def _dependent(_: RolloutSpec, gate: Gate) -> str:
    queues = gate.quantile is not None or (gate.rate is not None and gate.rate.metric is RateMetric.ERRORS)
    if gate.dependence is Dependence.BLOCK or not queues:
        return ""
    return (
        f"dependence {gate.dependence}: queues slow or fail many queries at once, and the promised chances hold for "
        "independent ones only; leave it out (Block)"
    )
