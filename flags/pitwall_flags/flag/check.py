"""Checks a flag document for problems that would break an evaluator."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pitwall_flags.flag.document import read_split
from pitwall_flags.flag.readable import EXACT, is_exact, unreadable
from pitwall_flags.flag.schema import schema_problem

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 24
MAX_NODES: Final = 4_000
MAX_LOOPS: Final = 8
MAX_WEIGHT: Final = 2**31 - 1
MOST_MARKS: Final = 64
"""Of the metadata of a document that Pitwall wrote."""
LONGEST_PROBLEM: Final = 480
"""Characters; what names all variants of a flag would repeat the flag."""

ITERATIONS: Final = frozenset({"map", "filter", "reduce", "all", "none", "some"})
GROWING: Final = frozenset({"cat", "merge", "*"})
"""Operators whose answer is as large as all their operands together."""

WHOLE: Final = frozenset({"", "accumulator"})
"""What `var` names where it means the accumulator, alone or with the element."""


def problems(document: Mapping[str, Any]) -> list[str]:
    """What flagd's schema and Pitwall's limits object to; empty when the document may be stored."""
    cost = _too_costly(document)
    if cost:
        return [cost]
    if is_written_by_us(document):
        return []
    fault = schema_problem(document)
    return [_shortened(each) for each in ([fault] if fault else _beyond_schema(document))]


def is_written_by_us(document: Mapping[str, Any]) -> bool:
    """Whether `document` wrote this, which has no problem by construction. It takes a millisecond, the whole check of
    what others write up to a hundred."""
    return _is_ours(document) and _text_problem(document) is None


def _shortened(words: str) -> str:
    return words if len(words) <= LONGEST_PROBLEM else f"{words[: LONGEST_PROBLEM - 1]}…"


def _is_ours(document: Mapping[str, Any]) -> bool:
    split = read_split(document)
    if split is None or set(document) - {"metadata"} != {"state", "variants", "defaultVariant", "targeting"}:
        return False
    metadata = document.get("metadata", {})
    if (
        not isinstance(metadata, dict)
        or len(metadata) > MOST_MARKS
        or not all(isinstance(value, str) for value in metadata.values())
    ):
        return False
    arms = [share.arm for share in split.shares]
    return sorted(document["variants"]) == sorted(arms) and document["defaultVariant"] in arms


def _too_costly(document: Mapping[str, Any]) -> str | None:
    """Limits that keep validation and evaluation bounded, whatever the document says."""
    nodes, deepest, nested, loops, inexact = 0, 0, 0, 0, False
    stack: list[tuple[Any, int, int]] = [(document, 1, 0)]
    while stack and nodes <= MAX_NODES and deepest <= MAX_DEPTH:
        node, depth, inside = stack.pop()
        nodes, deepest, nested = nodes + 1, max(deepest, depth), max(nested, inside)
        inexact = inexact or not is_exact(node)
        loops += sum(looping for _, looping in _children(node))
        stack.extend((child, depth + 1, inside + looping) for child, looping in _children(node))
    if deepest > MAX_DEPTH:
        return f"the document nests deeper than {MAX_DEPTH} levels; flatten its targeting"
    if nodes > MAX_NODES:
        return f"the document has more than {MAX_NODES} values; split it into several flags"
    if nested > 1:
        return f"targeting nests {sorted(ITERATIONS)} inside each other; its cost has no bound"
    if loops > MAX_LOOPS:
        return f"targeting has {loops} of {sorted(ITERATIONS)}; the limit is {MAX_LOOPS}: split it into several flags"
    if any(_doubles(node["reduce"]) for node in _objects(document.get("targeting")) if "reduce" in node):
        return (
            "targeting has reduce put the accumulator together with itself, which doubles it with each element; "
            f"name it once in each list and in each of {sorted(GROWING)}"
        )
    if inexact:
        return (
            f"an integer is beyond {EXACT}, where JavaScript and Go read another than was written; write it as a text"
        )
    return _text_problem(document)


def _doubles(arguments: Any) -> bool:
    """Whether the body of a reduce grows by more than an element at a time."""
    body = arguments[1] if isinstance(arguments, list) and len(arguments) > 1 else None
    operands = [
        each for node in _objects(body) for name in GROWING & node.keys() if isinstance(each := node[name], list)
    ]
    return any(sum(map(_has_accumulator, each)) > 1 for each in (*operands, *_literals(body)))


def _has_accumulator(rule: Any) -> bool:
    """Whether a value holds the accumulator, as far as can be read: what `var` computes may be it."""
    named = [node["var"] for node in _objects(rule) if "var" in node]
    first = [each[0] if isinstance(each, list) and each else each for each in named]
    return any(not isinstance(name, str | int) or str(name).partition(".")[0] in WHOLE for name in first)


def _literals(rule: Any, *, is_value: bool = True) -> Iterator[list[Any]]:
    """Lists that are values themselves, and not an operator's operands."""
    if isinstance(rule, list) and is_value:
        yield rule
    for child, _ in _children(rule):
        yield from _literals(child, is_value=isinstance(rule, list))


def _children(node: Any) -> Iterator[tuple[Any, bool]]:
    if isinstance(node, Mapping):
        yield from ((value, name in ITERATIONS) for name, value in node.items())
    elif isinstance(node, list):
        yield from ((value, False) for value in node)


def _text_problem(document: Mapping[str, Any]) -> str | None:
    """What is wrong with the document as a text, and nothing about what it says."""
    fault = unreadable(document)
    if fault:
        return f"not everybody can read the document: {fault}"
    size = len(json.dumps(document))
    return f"the document has {size} bytes; the limit is {MAX_BYTES}" if size > MAX_BYTES else None


def _beyond_schema(document: Mapping[str, Any]) -> Iterator[str]:
    """What flagd's schema lets pass and its evaluators do not."""
    default, variants = document.get("defaultVariant"), document["variants"]
    if default and default not in variants:
        yield f"defaultVariant {default!r} is not one of the variants {sorted(variants)}"
    if any("log" in node for node in _objects(document.get("targeting"))):
        yield "targeting must not use log: it would write users' attributes to the evaluator's output"
    yield from _beyond_variants(document.get("targeting"), variants)
    yield from _beyond_weights(document.get("targeting"))
    unknown = sorted(set(document) - {"state", "variants", "defaultVariant", "targeting", "metadata"})
    if unknown:
        yield f"unknown fields {unknown}; a flag has state, variants, defaultVariant, targeting and metadata"


def _beyond_variants(targeting: Any, variants: Mapping[str, Any]) -> Iterator[str]:
    """Variants that the targeting may answer with and the flag does not have: whoever is sent there gets an error."""
    missing = sorted({name for name in _answers(targeting) if name not in variants})
    if missing:
        yield f"targeting answers with {missing}, which are not among the variants {sorted(variants)}"


def _answers(rule: Any) -> Iterator[str]:
    """The variants that a rule names as its answer; what it computes is known at evaluation only."""
    match rule:
        case str():
            yield rule
        case {"if": [*branches]}:
            yield from (name for branch in _outcomes(branches) for name in _answers(branch))
        case {"fractional": [*shares]}:
            yield from (share[0] for share in shares if isinstance(share, list) and share and isinstance(share[0], str))


def _outcomes(branches: list[Any]) -> list[Any]:
    """What `if` may answer: after each condition, and the last of an odd number."""
    return [*branches[1::2], *(branches[-1:] if len(branches) % 2 else ())]


def _beyond_weights(targeting: Any) -> Iterator[str]:
    """Weights that evaluators count in 32 bits, alone and together."""
    for node in _objects(targeting):
        shares = node.get("fractional")
        weights = [_weight(share) for share in shares] if isinstance(shares, list) else []
        if any(weight < 0 for weight in weights) or sum(weights) > MAX_WEIGHT:
            yield f"fractional weighs {weights}; each must be 0 or more, and all together at most {MAX_WEIGHT}"


def _weight(share: Any) -> int:
    """A share's weight as it is written; 1 where none is, 0 where it is computed, or this is no share."""
    match share:
        case [_]:
            return 1
        case [_, int(weight)] if not isinstance(weight, bool):
            return weight
    return 0


def _objects(node: Any) -> Iterator[Mapping[str, Any]]:
    """All objects inside a value, itself included. The depth is bounded by MAX_DEPTH."""
    if isinstance(node, Mapping):
        yield node
    for child, _ in _children(node):
        yield from _objects(child)
