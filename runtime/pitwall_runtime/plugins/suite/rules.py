"""The rules of the contract, each tried on one sampler; a broken one becomes a Finding with line and remedy."""

import json
import random
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np

from pitwall_crds.resource import DNS_LABEL
from pitwall_runtime.errors import BadVariantError, SamplerFailedError, SamplerHangsError, WrongSelectionError
from pitwall_runtime.media import Selection
from pitwall_runtime.plugins.suite.situations import Situation
from pitwall_runtime.plugins.suite.watched import watched
from pitwall_runtime.samplers.catalogue import BoundSampler, check, is_json
from pitwall_runtime.samplers.containment import Guard, own_line
from pitwall_runtime.samplers.contract import CONTRACT, Input, Sampler, SamplerContext, Stability
from pitwall_runtime.samplers.parameters import fault_of_schema, parse, schema_of

MOST_SCHEMA_BYTES: Final = 16_384
"""A variant's status keeps the schema, beside others."""

NO_PARAMETERS: Final = "no parameters"
"""The situation of a finding after which nothing can be run."""


class Clause(StrEnum):
    """What every sampler must keep, as a report names it."""

    DECLARATION = "says what it is"
    PARAMETERS = "describes its parameters"
    ENDS = "ends without an error"
    IN_TIME = "ends in time"
    MEMORY = "stays within its memory"
    EXACTLY = "chooses exactly min(budget, N) frames of the pool, sorted and unique"
    REPEATS = "chooses the same for the same seed"
    FORGETS = "remembers nothing of other questions, also when several are asked at once"
    USES = "names in `uses` whatever it asks for"
    DIAGNOSTICS = "gives diagnostics that can be written as JSON"


REMEDIES: Final[Mapping[Clause, str]] = {
    Clause.DECLARATION: "see Sampler in pitwall_runtime/samplers/contract.py",
    Clause.PARAMETERS: "every parameter needs a description, a default and bounds",
    Clause.ENDS: "choose in this situation too; an error falls back to the stable variant and counts against yours",
    Clause.IN_TIME: "do less, or watch context.milliseconds_left and return the best so far",
    Clause.MEMORY: "avoid arrays of N × N; ask for embeddings of few frames",
    Clause.EXACTLY: "return Selection.of(frames) with context.budget different frames of range(context.pool_size)",
    Clause.REPEATS: "draw from context.random() alone, and break ties by index",
    Clause.FORGETS: "keep nothing in globals or caches that changes what is chosen",
    Clause.USES: "add it to Sampler.uses, from which people and the operator know what a variant needs",
    Clause.DIAGNOSTICS: "use texts, numbers, booleans and tuples of finite numbers",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: in which situation, what happened, and at which line of the sampler."""

    rule: Clause
    situation: str
    message: str
    line: str = ""

    def to_json(self) -> dict[str, str]:
        """As a report in JSON holds it."""
        return {**asdict(self), "remedy": REMEDIES[self.rule]}


@dataclass(frozen=True, slots=True)
class SuiteLimits:
    """Seconds for a film of ten minutes or an hour, seconds for ten hours, MiB beyond what the inputs take, and seconds
    until the module is imported."""

    film_seconds: float = 5.0
    ten_hours_seconds: float = 20.0
    mebibytes: float = 1024.0
    import_seconds: float = 60.0

    def seconds(self, one: Situation) -> float:
        """What this situation may take."""
        return self.ten_hours_seconds if one.is_long else self.film_seconds


def declaration(sampler: Sampler) -> Iterator[Finding]:
    """Whether name, version, words and inputs can be shown to people."""
    wrong: tuple[tuple[bool, str], ...] = (
        (not re.match(DNS_LABEL, sampler.name) or len(sampler.name) > 63, f"name {sampler.name!r} is no DNS label"),
        (sampler.contract != CONTRACT, f"contract {sampler.contract} is not {CONTRACT}"),
        (not isinstance(sampler.stability, Stability), f"stability {sampler.stability!r} is none of the Stability"),
        (not 10 <= len(sampler.summary) <= 300, "summary is not one sentence of 10 to 300 characters"),
        (len(sampler.source) > 300, "source has more than 300 characters"),
        (not all(isinstance(one, Input) for one in sampler.uses), f"uses {set(sampler.uses)} are not all Inputs"),
        (not sampler.needs <= sampler.uses, f"needs {set(sampler.needs - sampler.uses)}, which `uses` does not name"),
    )
    for is_wrong, message in wrong:
        if is_wrong:
            yield Finding(Clause.DECLARATION, "", message)


def parameters(sampler: Sampler) -> Iterator[Finding]:
    """Whether a variant can name the parameters, leave them out, and is told of those that there are not."""
    schema = schema_of(sampler)
    fault = fault_of_schema(schema)
    if fault:
        yield Finding(Clause.PARAMETERS, NO_PARAMETERS, f"its parameters are no JSON schema: {fault}")
        return
    size = len(json.dumps(schema))
    if size > MOST_SCHEMA_BYTES:
        yield Finding(Clause.PARAMETERS, "", f"the schema has {size} bytes, at most {MOST_SCHEMA_BYTES} fit a status")
    for name, one in schema.get("properties", {}).items():
        if not one.get("description"):
            yield Finding(Clause.PARAMETERS, "", f"parameter {name!r} has no description")
    try:
        parse(sampler, {})
    except BadVariantError as refusal:
        yield Finding(Clause.PARAMETERS, NO_PARAMETERS, refusal.message)


@dataclass(frozen=True, slots=True)
class Attempted:
    """What became of one run: a selection or a finding, what was asked, the sampler's own seconds, and which rules it
    put to the test."""

    selection: Selection | None
    findings: tuple[Finding, ...]
    asked: Mapping[Input, str]
    seconds: float
    tried: frozenset[Clause] = frozenset()


def choosing(bound: BoundSampler, one: Situation, limits: SuiteLimits) -> Attempted:
    """Two runs, in a world whose global chance differs: both must end well and alike."""
    first = once(bound, one, limits, world=1)
    if first.selection is None:
        return first
    second = once(bound, one, limits, world=2)
    findings, tried = [*first.findings, *second.findings], first.tried
    if second.selection is not None:
        tried |= {Clause.REPEATS}
    if second.selection is not None and not _alike(first.selection, second.selection):
        line = returning_line(bound, one)
        words = f"{shown(first.selection.indices)}, then {shown(second.selection.indices)}"
        findings.append(Finding(Clause.REPEATS, one.name, words, line))
    findings += _undeclared(bound.sampler, one, first.asked)
    return Attempted(first.selection, tuple(findings), first.asked, max(first.seconds, second.seconds), tried)


def once(bound: BoundSampler, one: Situation, limits: SuiteLimits, world: int) -> Attempted:
    """One run under the guard."""
    random.seed(world)
    np.random.seed(world)
    context, asked = watched(one.make(), bound.sampler.select)
    allowed = min(context.allowance.milliseconds, limits.seconds(one) * 1000)
    context = replace(context, allowance=replace(context.allowance, milliseconds=allowed))
    try:
        chosen = bound.guard.run(context, bound.parameters)
    except SamplerFailedError as failure:
        return Attempted(None, (Finding(_broken(failure), one.name, failure.message),), asked, _seconds(context))
    seconds, ended = _seconds(context), frozenset({Clause.ENDS, Clause.IN_TIME})
    try:
        selection = check(bound.sampler.name, chosen, context)
    except SamplerFailedError as failure:
        finding = Finding(Clause.EXACTLY, one.name, failure.message, returning_line(bound, one))
        return Attempted(None, (finding,), asked, seconds, ended)
    findings = []
    if seconds > limits.seconds(one):
        findings.append(Finding(Clause.IN_TIME, one.name, f"{seconds:.1f} s, {limits.seconds(one):g} are allowed"))
    if not is_json(selection):
        words = f"diagnostics {dict(selection.diagnostics)!r:.200}"
        findings.append(Finding(Clause.DIAGNOSTICS, one.name, words, returning_line(bound, one)))
    tried = ended | {Clause.EXACTLY, Clause.DIAGNOSTICS, Clause.USES}
    return Attempted(selection, tuple(findings), asked, seconds, tried)


def _broken(failure: SamplerFailedError) -> Clause:
    if isinstance(failure, SamplerHangsError):
        return Clause.IN_TIME
    return Clause.EXACTLY if isinstance(failure, WrongSelectionError) else Clause.ENDS


def forgetting(bound: BoundSampler, one: Situation, first: Selection, limits: SuiteLimits) -> Attempted:
    """The first situation again, after all others and in four threads at once."""
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda world: once(bound, one, limits, world), range(4)))
    findings = [finding for outcome in again for finding in outcome.findings]
    chosen = [outcome.selection for outcome in again if outcome.selection is not None]
    other = next((selection for selection in chosen if not _alike(selection, first)), None)
    if other is not None:
        words = f"{shown(first.indices)} at first, {shown(other.indices)} after other questions"
        findings.append(Finding(Clause.FORGETS, one.name, words, returning_line(bound, one)))
    return Attempted(None, tuple(findings), {}, 0.0, frozenset({Clause.FORGETS} if chosen else ()))


def returning_line(bound: BoundSampler, one: Situation) -> str:
    """Where `select` returns from, seen by running it once more."""
    select, seen = bound.sampler.select, [""]
    code = getattr(select, "__code__", None)

    def watch(frame: Any, event: str, _: object) -> None:
        if event == "return" and frame.f_code is code:
            seen[0] = own_line(select, traceback.extract_stack(frame))

    def watched(context: SamplerContext, values: Any) -> Any:
        sys.setprofile(watch)
        return select(context, values)

    async def watched_async(context: SamplerContext, values: Any) -> Any:
        sys.setprofile(watch)
        awaited: Any = select(context, values)
        return await awaited

    spy = replace(bound.sampler, select=watched_async if bound.sampler.is_async else watched)
    try:
        Guard(spy).run(one.make(), bound.parameters)
    except SamplerFailedError as failure:
        return failure.message
    return seen[0]


def _undeclared(sampler: Sampler, one: Situation, asked: Mapping[Input, str]) -> Iterator[Finding]:
    for what in sorted(set(asked) - sampler.uses):
        yield Finding(Clause.USES, one.name, f"asks for {what}, which `uses` does not name", asked[what])


def _alike(one: Selection, other: Selection) -> bool:
    return (one.indices, one.tiers) == (other.indices, other.tiers)


def shown(indices: Sequence[int]) -> str:
    """The first few frames, as a finding names them."""
    first = ", ".join(map(str, indices[:6]))
    return f"[{first}{', …' if len(indices) > 6 else ''}]"


def _seconds(context: SamplerContext) -> float:
    return context.meter.own_milliseconds / 1000
