"""Makes inputs with a few things wrong, for fuzzers, and names the one that was not read or refused as it should be.

`make soak` makes PITWALL_FUZZ_INPUTS of each kind; docs/security.md tells of the largest runs.
"""

import copy
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

MANY = int(os.environ.get("PITWALL_FUZZ_INPUTS", "1000000"))
ODD = (
    None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**400, "", "\x00", "\x1b[2J", "\ud800", "é" * 300, [], {},
    [[[[]]]], {"": {"": {}}}, ["a"] * 50, "9" * 5000,
)  # fmt: skip
PIECES = (b"", b"\x00", b"\xff\xfe", b'"', b"{", b"}", b"[" * 2000, b"1e999", b"\\ud800", b"NaN", b"\xef\xbb\xbf")
LONGEST_SECONDS = 5.0
"""Of this thread, for one input: far more than any takes, far less than what would hold up a turn."""

Input = TypeVar("Input")


def damaged(
    seed: Any, dice: random.Random, *, faults: int, keys: Sequence[str] = ("extra",), odd: Sequence[Any] = ODD,
    deeper: float = 0.6,
) -> Any:  # fmt: skip
    """A copy of a document with so many of its values replaced, or odd ones added under one of these keys."""
    document = copy.deepcopy(seed)
    for _ in range(faults):
        place = document
        while isinstance(place, dict | list) and place and dice.random() < deeper:
            key = dice.choice(list(place)) if isinstance(place, dict) else dice.randrange(len(place))
            if not isinstance(place[key], dict | list) or not place[key]:
                break
            place = place[key]
        if isinstance(place, dict):
            key = dice.choice([*place, *keys])
            place[key] = copy.deepcopy(dice.choice(odd))
        elif place:
            place[dice.randrange(len(place))] = copy.deepcopy(dice.choice(odd))
    return document


def as_json(document: Any) -> bytes:
    """The document as careless programs write it: with NaN, and with halves of characters."""
    return json.dumps(document).encode("utf-8", "surrogatepass")


def with_odd_bytes(body: bytes, dice: random.Random, pieces: Sequence[bytes] = PIECES) -> bytes:
    """Every second time with a few bytes replaced by a piece."""
    for _ in range(dice.randrange(2)):
        at = dice.randrange(len(body) + 1)
        body = body[:at] + dice.choice(pieces) + body[at + dice.randrange(4) :]
    return body


def fuzz(
    kind: str, make: Callable[[random.Random], Input], judge: Callable[[Input], None], number: int, *, seed: int
) -> None:  # fmt: skip
    """Judge so many inputs, each within bounded time."""
    dice = random.Random(seed)
    for _ in range(number):
        made = make(dice)
        began = time.thread_time()
        try:
            judge(made)
        except Exception as error:
            raise AssertionError(f"{kind} with {repr(made)[:3000]}: {type(error).__name__}: {error}") from error
        seconds = time.thread_time() - began
        assert seconds < LONGEST_SECONDS, f"{kind} took {seconds:.1f} s with {repr(made)[:3000]}"


def any_seed() -> int:
    """For a search that is another one each time."""
    return random.SystemRandom().randrange(2**32)


def some_or_many(some: int) -> Any:
    """Parametrizes a fuzzer's `number`: so many inputs in `make test`, MANY in `make soak`."""
    many = pytest.param(MANY, id="many", marks=[pytest.mark.soak, pytest.mark.timeout(0)])
    return pytest.mark.parametrize("number", [pytest.param(some, id="some"), many])


def seed_of(number: int) -> int:
    """The same inputs in every `make test`, other ones in every `make soak`."""
    return any_seed() if number == MANY else 1
