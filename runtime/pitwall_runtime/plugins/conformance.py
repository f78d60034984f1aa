"""The conformance suite: every rule of the contract in every situation, on one sampler.

In a test of your package:

    def test_it_keeps_the_contract():
        assert conform(SAMPLER).findings == ()

`pitwall check-sampler` runs the same in a process of its own, which may hang, crash or grow, and asks again in another
process and another order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Selection
from pitwall_runtime.plugins.suite import rules
from pitwall_runtime.plugins.suite.memory import growing_line, measured
from pitwall_runtime.plugins.suite.rules import Clause, Finding, SuiteLimits
from pitwall_runtime.plugins.suite.situations import Situation, all_situations, another_film, provided, situation
from pitwall_runtime.samplers.catalogue import BoundSampler, bind
from pitwall_runtime.samplers.contract import Sampler
from pitwall_runtime.samplers.parameters import fault_of_schema, parse, schema_of

MOST_HANGING = 3
"""Runs that hang take processor time from those that follow; after so many nothing more can be learnt."""


@dataclass(frozen=True, slots=True)
class Conformance:
    """What the suite found on one sampler, in how many of the planned situations, how long the slowest one took, and
    which rules no run put to the test."""

    sampler: str
    situations: int
    findings: tuple[Finding, ...]
    slowest: str = ""
    slowest_seconds: float = 0.0
    mebibytes: float = 0.0
    planned: int = 0
    not_tried: tuple[Clause, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every rule was tried and kept; only memory may be untried, where the system does not tell it."""
        return not self.findings and self.situations > 0 and set(self.not_tried) <= {Clause.MEMORY}


@dataclass(frozen=True, slots=True)
class Tried:
    """One situation with what was found in it, the rules that it put to the test, and what was chosen."""

    situation: str
    findings: tuple[Finding, ...]
    seconds: float
    mebibytes: float
    rules: frozenset[Clause] = frozenset()
    chosen: Selection | None = None


def conform(sampler: Sampler, limits: SuiteLimits | None = None, situations: Sequence[Situation] = ()) -> Conformance:
    """All rules in all situations, here and now. A sampler that hangs leaves its threads behind."""
    chosen = situations or all_situations()
    tried = list(try_all(sampler, limits or SuiteLimits(), chosen))
    slowest = max(tried, key=lambda one: one.seconds)
    findings = tuple(finding for one in tried for finding in one.findings)
    return Conformance(
        sampler=sampler.name,
        situations=sum(bool(one.situation) for one in tried),
        findings=findings,
        slowest=slowest.situation,
        slowest_seconds=slowest.seconds,
        mebibytes=max(one.mebibytes for one in tried),
        planned=len(planned(sampler, chosen)),
        not_tried=untried(findings, (rule for one in tried for rule in one.rules)),
    )


def untried(findings: Iterable[Finding], tried: Iterable[Clause]) -> tuple[Clause, ...]:
    """The rules that are neither broken nor were put to the test."""
    known = {*tried, *(finding.rule for finding in findings)}
    return tuple(rule for rule in Clause if rule not in known)


def planned(sampler: Sampler, situations: Sequence[Situation]) -> list[Situation]:
    """These situations with what the sampler needs, then its parameters at their bounds."""
    if fault_of_schema(schema_of(sampler)):
        return []
    return [provided(one, sampler.needs) for one in (*situations, *at_bounds(sampler))]


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
    shown = frozenset({Clause.DECLARATION, Clause.PARAMETERS})
    yield Tried("", tuple(declared) if first == 0 else (), 0.0, 0.0, shown)
    if any(finding.situation == rules.NO_PARAMETERS for finding in declared):
        return  # nothing can be run without parameters
    usual, known, hanging = bind(sampler, {}), None, 0
    together = planned(sampler, situations)
    for number, one in islice(enumerate(together), first, None):
        begins(number, one.name)
        bound = bind(sampler, one.parameters) if one.parameters else usual
        tried = _tried(bound, one, limits)
        if known is None and bound is usual and tried.chosen:
            known = (one, tried.chosen)
        yield tried
        hanging += tried.chosen is None and any(finding.rule is Clause.IN_TIME for finding in tried.findings)
        if hanging >= MOST_HANGING:
            return
    if known:
        begins(len(together), "the first one again, four at once")
        outcome = rules.forgetting(usual, *known, limits)
        yield Tried("", outcome.findings, 0.0, 0.0, outcome.tried)


def in_other_order(
    sampler: Sampler, limits: SuiteLimits, *, with_lines: bool, begins: Callable[[int, str], None]
) -> Iterator[tuple[Tried, str]]:
    """After another film of the same size, those situations that share their size, the last one first; and the line
    that chose if it is wanted. A sampler that keeps something of one question shows it in the next."""
    bound = bind(sampler, {})
    short = [one for one in planned(sampler, all_situations()) if not one.is_long and not one.parameters]
    sizes = [(context.pool_size, context.budget) for context in (one.make() for one in short)]
    shared = [(one, size) for one, size in zip(short, sizes, strict=True) if sizes.count(size) > 1]
    for size in sorted({size for _, size in shared}):
        begins(0, "another film")
        rules.once(bound, provided(another_film(*size), sampler.needs), limits, world=_OTHER_WORLD)
    for number, (one, _) in enumerate(reversed(shared), start=1):
        begins(number, f"{one.name}, in another order")
        outcome = rules.once(bound, one, limits, world=_OTHER_WORLD)
        line = rules.returning_line(bound, one) if with_lines else ""
        yield Tried(one.name, (), outcome.seconds, 0.0, chosen=outcome.selection), line


_OTHER_WORLD = 3


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


def _tried(bound: BoundSampler, one: Situation, limits: SuiteLimits) -> Tried:
    """One situation, and the line that takes the memory where it takes too much."""
    one.make()  # what the inputs take is not the sampler's
    outcome, grown = measured(lambda: rules.choosing(bound, one, limits))
    findings, tried, mebibytes = outcome.findings, outcome.tried, grown or 0.0
    if grown is not None and outcome.selection:
        tried |= {Clause.MEMORY}
    if mebibytes > limits.mebibytes:
        words = f"{mebibytes:.0f} MiB beyond its inputs, {limits.mebibytes:g} are allowed"
        line = growing_line(bound.sampler.select, lambda: rules.once(bound, one, limits, world=1))
        findings = (*findings, Finding(Clause.MEMORY, one.name, words, line))
    return Tried(one.name, findings, outcome.seconds, mebibytes, tried, outcome.selection)
