"""Names the caller whose trials make arms unequal between which only chance decides.

Pure: no clock, chance or I/O.
"""

import math
from collections import Counter
from typing import Final

from pitwall_crds.names import Arm, Label, Metric
from pitwall_operator.gates.counting import counters
from pitwall_operator.values.observation import Reading

STANDS_OUT: Final = 4.0
"""Standard deviations between how a caller's trials are split and how those of all others are."""
LEAST_EXPECTED: Final = 3.0
"""Trials that chance would have put on either arm; of fewer, a deviation means nothing."""


def suspect(reading: Reading, run: counters.Run, kind: str) -> str:
    """Whose trials of this kind are split between control and stable least like those of the others, in words.

    Empty where gateways tell of no callers. It is a hint for people, and proves nothing. Of two callers each is unlike
    the other.
    """
    control, stable = (_trials(reading, run, arm, kind) for arm in (Arm.CONTROL, Arm.STABLE))
    oddness = {caller: _oddness(caller, control, stable) for caller in sorted((control.keys() | stable.keys()) - {""})}
    if not oddness:
        return ""
    most = max(oddness.values())
    if most < STANDS_OUT:
        return "no caller's are split unlike the others'"
    told = (_told(caller, control, stable) for caller, odd in oddness.items() if math.isclose(odd, most))
    return f"split unlike the others': {' and '.join(told)}"


def _told(caller: str, control: Counter[str], stable: Counter[str]) -> str:
    """In steps of five per cent, lest the words change with every question."""
    parts = (f"{round(20 * counts[caller] / max(counts.total(), 1)) / 20:.0%}" for counts in (control, stable))
    return "the caller {!r} (about {} of control's, {} of stable's)".format(caller, *parts)


def _trials(reading: Reading, run: counters.Run, arm: Arm, kind: str) -> Counter[str]:
    """By caller, over all gateways."""
    found = Counter[str]()
    for source in reading.sources.values():
        for labels, count in counters.select(source, Metric.EVIDENCE_CALLERS, **run.labels(arm), kind=kind):
            found[labels.get(Label.CALLER, "")] += round(count)
    return found


def _oddness(caller: str, control: Counter[str], stable: Counter[str]) -> float:
    """How many standard deviations this caller's part of control is from the others' (test of two proportions)."""
    mine, others = control[caller] + stable[caller], control.total() + stable.total() - control[caller] - stable[caller]
    share = control.total() / max(mine + others, 1)
    if min(mine, others) * min(share, 1 - share) < LEAST_EXPECTED:
        return 0.0
    apart = control[caller] / mine - (control.total() - control[caller]) / others
    return abs(apart) / math.sqrt(share * (1 - share) * (1 / mine + 1 / others))
