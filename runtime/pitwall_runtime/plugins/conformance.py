"""The conformance suite: every rule of the contract in every situation, on one sampler.

In a test of your package:

    def test_it_keeps_the_contract():
        assert conform(SAMPLER).findings == ()

`pitwall check-sampler` runs the same in a process of its own, which may hang, crash or grow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Selection
from pitwall_runtime.plugins import rules
from pitwall_runtime.plugins.rules import Clause, Finding, SuiteLimits
from pitwall_runtime.plugins.situations import Situation, all_situations, provided, situation
from pitwall_runtime.samplers.catalogue import BoundSampler, bind
from pitwall_runtime.samplers.contract import Sampler
from pitwall_runtime.samplers.parameters import parse, schema_of

MOST_HANGING = 3
"""Runs that hang take processor time from those that follow; after so many nothing more can be learnt."""


@dataclass(frozen=True, slots=True)
class Conformance:
    """What the suite found on one sampler, in how many situations, and how long the slowest one took."""

    sampler: str
    situations: int
    findings: tuple[Finding, ...]
    slowest: str = ""
    slowest_seconds: float = 0.0
    mebibytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Tried:
    """One situation with what was found in it."""

    situation: str
    findings: tuple[Finding, ...]
    seconds: float
    mebibytes: float


def conform(sampler: Sampler, limits: SuiteLimits | None = None, situations: Sequence[Situation] = ()) -> Conformance:
    """All rules in all situations, here and now. A sampler that hangs leaves its threads behind."""
    tried = list(try_all(sampler, limits or SuiteLimits(), situations or all_situations()))
    slowest = max(tried, key=lambda one: one.seconds)
    return Conformance(
        sampler=sampler.name,
        situations=sum(bool(one.situation) for one in tried),
        findings=tuple(finding for one in tried for finding in one.findings),
        slowest=slowest.situation,
        slowest_seconds=slowest.seconds,
        mebibytes=max(one.mebibytes for one in tried),
    )


def try_all(
    sampler: Sampler,
    limits: SuiteLimits,
    situations: Sequence[Situation],
    *,
    first: int = 0,
    begins: Callable[[int, str], None] | None = None,
) -> Iterator[Tried]:
    """One result after the other: the declaration, then each situation from number `first` on.

    `begins` is told what is about to be tried, for whoever watches from outside.
    """
    begins = begins or (lambda *_: None)
    declared = [*rules.declaration(sampler), *rules.parameters(sampler)]
    yield Tried("", tuple(declared) if first == 0 else (), 0.0, 0.0)
    if any(finding.situation == "no parameters" for finding in declared):
        return  # nothing can be run without parameters
    usual, known = bind(sampler, {}), None
    together = [provided(one, sampler.needs) for one in (*situations, *at_bounds(sampler))]
    for number, one in islice(enumerate(together), first, None):
        begins(number, one.name)
        bound = bind(sampler, one.parameters) if one.parameters else usual
        outcome, mebibytes = _measured(bound, one, limits)
        if known is None and bound is usual and outcome.selection:
            known = (one, outcome.selection)
        yield Tried(one.name, _with_memory(outcome.findings, one, mebibytes, limits), outcome.seconds, mebibytes)
        if bound.guard.hanging >= MOST_HANGING:
            return
    if known:
        begins(len(together), "the first one again, four at once")
        yield _again(usual, *known, limits)


def at_bounds(sampler: Sampler) -> Iterator[Situation]:
    """A film with each parameter at the least and the greatest that its schema allows, and at each of its choices."""
    for name, one in schema_of(sampler).get("properties", {}).items():
        for value in dict.fromkeys(_extremes(one)):
            with suppress(BadVariantError):  # the schema may say less than the sampler's own checks
                parse(sampler, {name: value})
                yield replace(situation(f"a film with {name} = {value}"), parameters={name: value})


def _extremes(schema: Mapping[str, Any]) -> Iterator[bool | int | str]:
    """What a SamplerVariant may hold of them: decimals as text."""
    for one in (schema, *schema.get("anyOf", ())):
        if one.get("type") == "boolean":
            yield from (False, True)
        yield from (value for value in one.get("enum", ()) if isinstance(value, str))
        for bound in ("minimum", "maximum"):
            if bound in one:
                value = one[bound]
                yield int(value) if float(value).is_integer() else str(value)


def _again(bound: BoundSampler, one: Situation, selection: Selection, limits: SuiteLimits) -> Tried:
    return Tried("", tuple(rules.forgetting(bound, one, selection, limits)), 0.0, 0.0)


def _measured(bound: BoundSampler, one: Situation, limits: SuiteLimits) -> tuple[rules.Attempted, float]:
    """The outcome, and by how many MiB the process grew at most; 0 where the system does not say."""
    one.make()  # what the inputs take is not the sampler's
    before = _resident("VmRSS") if _forget_peak() else 0.0
    outcome = rules.choosing(bound, one, limits)
    return outcome, max(0.0, _resident("VmHWM") - before) if before else 0.0


def _with_memory(
    findings: tuple[Finding, ...], one: Situation, mebibytes: float, limits: SuiteLimits
) -> tuple[Finding, ...]:
    if mebibytes <= limits.mebibytes:
        return findings
    words = f"{mebibytes:.0f} MiB beyond its inputs, {limits.mebibytes:g} are allowed"
    return (*findings, Finding(Clause.MEMORY, one.name, words))


def _forget_peak() -> bool:
    """Linux: the peak of the resident memory is counted from now on."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident(field: str) -> float:
    """MiB, from the process's own status."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)
