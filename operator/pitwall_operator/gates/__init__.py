"""Gates: the user's rules for one metric each, judged as harmful, non-inferior or inconclusive from its counts."""

from pitwall_operator.gates.assessment import Assessment, ProcessReading, StageContext, StageKind
from pitwall_operator.gates.counting.edges import highest_edge, margin_edge, tail_edge
from pitwall_operator.gates.evidence import GateEvidence, assess_state

__all__ = [
    "Assessment",
    "GateEvidence",
    "ProcessReading",
    "StageContext",
    "StageKind",
    "assess_state",
    "highest_edge",
    "margin_edge",
    "tail_edge",
]
