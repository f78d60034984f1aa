"""Assesses a gate by thresholds that may tell nothing any more, since stable is not as slow as when they were frozen.

A new answer server, or caches that are warm by now, make stable many times as quick as its history says. Then nothing
is beyond the thresholds, whatever the candidate is like, and a difference of nothing is within any absolute margin.
Pure: no clock, chance or I/O.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pitwall_crds.rollout.status import EdgeStatus, TailStatus, Verdict
from pitwall_operator.evidence.basis.counts import EdgeTallies, Tally
from pitwall_operator.gates import Assessment, GateEvidence, StageContext, StageKind
from pitwall_operator.gates.counting.latency_thresholds import unless_lowered

LEAST_SHARE: Final = 0.05
"""Less than that beyond a threshold says little: buckets are coarse."""
LEAST_EXPECTED: Final = 20.0
"""So many questions must have been expected beyond it: of as many, a tenth or less is no chance."""
PART: Final = 0.1
"""Beyond this part of what was expected, thresholds still tell: the course of a day makes nobody so quick."""


def assess(evidence: GateEvidence, assessment: Assessment, tail: TailStatus | None, stage: StageContext) -> Assessment:
    """The gate's assessment of its evidence; nothing was measured where thresholds tell nothing and no harm is."""
    found = unless_lowered(evidence.gate, tail, assessment, stage)
    if tail is None or stage.kind is not StageKind.CANARY or found.verdict is Verdict.HARMFUL:
        return found
    edge, share, seen = max(_control(evidence, tail), key=lambda at: at[1], default=(0.0, 0.0, Tally()))
    expected = share * seen.trials
    if share < LEAST_SHARE or expected < LEAST_EXPECTED or seen.bad > PART * expected:
        return found
    message = (
        f"stable has become much quicker: of {seen.trials} questions of the control {seen.rate:.1%} took longer than "
        f"{edge:.4g} s, {share:.0%} did when this was frozen; pitwall abort, then retry, freeze anew"
    )
    return replace(found, verdict=Verdict.UNMEASURED, message=message, missing_trials=None)


def _control(evidence: GateEvidence, tail: TailStatus) -> Iterator[tuple[float, float, Tally]]:
    """The control's thresholds, what was beyond each when it was frozen, and what is in this stage."""
    now, before = evidence.totals, evidence.before
    own, further = EdgeTallies(control=now.control), now.edges
    ago = (EdgeTallies(control=before.control), *before.edges)
    frozen: tuple[EdgeStatus, ...] = (tail, *tail.further)
    for index, (edge, at) in enumerate(zip(frozen, (own, *further), strict=False)):
        if edge.share is not None:
            since = ago[index].control if index < len(ago) else Tally()
            trials = max(at.control.trials - since.trials, 0)
            yield float(edge.control), float(edge.share), Tally(trials, min(max(at.control.bad - since.bad, 0), trials))
