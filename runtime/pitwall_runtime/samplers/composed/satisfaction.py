"""Logic over relevance curves: how well each moment satisfies a tree of things seen, said and found.

After Ben-Ami et al., HiMu, 2026 (arXiv 2603.18558): leaves are curves from 0 to 1, joined by fuzzy and / or and by two
operators of time. All of it is arithmetic on arrays [N].
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from pitwall_runtime.samplers.arithmetic.curve import Curve

_MOST_LEAVES: Final = 16
_MOST_DEPTH: Final = 5
_MOST_WORDS: Final = 300


class Sense(StrEnum):
    """How a leaf is looked for."""

    SEE = "see"
    HEAR = "hear"
    FIND = "find"


class Join(StrEnum):
    """How branches are joined: all at once, any of them, one after the other, or right after."""

    ALL = "all"
    ANY = "any"
    THEN = "then"
    RIGHT_AFTER = "rightAfter"


@dataclass(frozen=True, slots=True)
class Leaf:
    """Words that are looked for by one sense."""

    sense: Sense
    words: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Trees that are joined."""

    join: Join
    parts: "tuple[Leaf | Branch, ...]"


Tree = Leaf | Branch


def parse(reply: str) -> Tree | None:
    """The tree in a model's reply: JSON of the form {"all": [{"see": "a dog"}, …]}; None if there is none.

    At most sixteen leaves in five levels count as a tree.
    """
    start, end = reply.find("{"), reply.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        tree = _node(json.loads(reply[start : end + 1]), _MOST_DEPTH)
    except (ValueError, RecursionError):
        return None
    return tree if _leaves(tree) <= _MOST_LEAVES else None


def _node(raw: Any, depth: int) -> Tree:
    """A node of the tree. Raises ValueError if it is none."""
    if not isinstance(raw, dict) or len(raw) != 1 or depth == 0:
        raise ValueError("a node is an object with one key")
    ((key, value),) = raw.items()
    if key in set(Sense) and isinstance(value, str) and value.strip():
        return Leaf(Sense(key), value.strip()[:_MOST_WORDS])
    if key in set(Join) and isinstance(value, list) and value:
        return Branch(Join(key), tuple(_node(part, depth - 1) for part in value))
    raise ValueError(f"no node: {key!r}")


def _leaves(tree: Tree) -> int:
    return 1 if isinstance(tree, Leaf) else sum(_leaves(part) for part in tree.parts)


def satisfaction(tree: Tree, leaf: Callable[[Leaf], Curve], memory_frames: float) -> Curve:
    """How well each frame satisfies the tree, 0 to 1; `memory_frames` is how long "right after" lasts."""
    if isinstance(tree, Leaf):
        return leaf(tree)
    parts = [satisfaction(part, leaf, memory_frames) for part in tree.parts]
    match tree.join:
        case Join.ALL:
            return _product(parts)
        case Join.ANY:
            return 1.0 - _product([1.0 - part for part in parts])
        case Join.THEN:
            return in_order(parts, np.inf)
        case Join.RIGHT_AFTER:
            return in_order(parts, memory_frames)


def in_order(parts: Sequence[Curve], memory_frames: float) -> Curve:
    """Where some part is satisfied and all before it were satisfied earlier, all behind it later.

    So frames of every step count, and none whose step has no partner. With a memory an earlier or later step fades by
    1 / e in so many frames.
    """
    before = [np.ones_like(parts[0])]
    for part in parts[:-1]:
        before.append(_remembered(before[-1] * part, memory_frames))
    behind = [np.ones_like(parts[0])]
    for part in parts[:0:-1]:
        behind.append(_remembered((behind[-1] * part)[::-1], memory_frames)[::-1])
    joined = [early * part * late for early, part, late in zip(before, parts, reversed(behind), strict=True)]
    best: Curve = np.max(joined, axis=0)
    return best


def _product(parts: Sequence[Curve]) -> Curve:
    product: Curve = np.prod(parts, axis=0)
    return product


def _remembered(curve: Curve, memory_frames: float) -> Curve:
    """The greatest value strictly before each frame, faded by its age."""
    fading = np.arange(len(curve)) / memory_frames
    with np.errstate(divide="ignore"):
        kept = np.exp(np.maximum.accumulate(np.log(curve) + fading) - fading)
    return np.concatenate([[0.0], kept[:-1] * np.exp(-1.0 / memory_frames)])
