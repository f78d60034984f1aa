"""Divides the permitted false-alarm rate α over all gates and their tests, so that together they spend it once."""

from math import log

from pitwall_crds.rollout.gate import Gate, OnHarm
from pitwall_crds.rollout.rollout import Analysis

SHARES = {"harm": 0.625, "paired-harm": 0.25, "burst": 0.125}
"""How a gate divides its error budget over the ways in which harm can be proven."""
GROSS_HARM = "gross-harm"
"""Has the share of a burst, which no gate on times has."""
OBJECTIVE_HARM = "objective-harm"
OBJECTIVE_SHARE = 0.25
"""What an absolute objective takes of a gate's budget, if there is one; the others then share the rest."""


def share(gate: Gate, process: str) -> float:
    """A process's part of its gate's error budget."""
    if process == OBJECTIVE_HARM:
        return OBJECTIVE_SHARE
    return SHARES["burst" if process == GROSS_HARM else process] * (1 - OBJECTIVE_SHARE if gate.objective else 1)


def harm_log_threshold(gate: Gate, analysis: Analysis, process: str) -> float:
    """ln(1 / α) of one process of a gate. Bonferroni by weight: valid however gates and processes depend on each other.

    A gate that only observes spends nothing; its own threshold is drawn as if it took part.
    """
    acting = sum(other.weight for other in analysis.gates if other.on_harm is not OnHarm.OBSERVE)
    total = acting + (gate.weight if gate.on_harm is OnHarm.OBSERVE else 0)
    alpha = analysis.false_rollback_per_mille / 1000 * gate.weight / total
    return -log(alpha * share(gate, process))


def promotion_log_threshold(analysis: Analysis) -> float:
    """ln(1 / α) of non-inferiority. All gates must pass, so each may spend all of α (intersection–union)."""
    return -log(analysis.false_promotion_per_mille / 1000)
