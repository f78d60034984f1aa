"""Evaluates targeting as flagd does, within a budget: what a rule may cost does not depend on who wrote it or asks.

Operators are flagd's own; what is here is the walk through the rule, after json-logic's `apply`. Every step, and all
that an operator is given, is paid for before it is done, so neither loops nor values that grow in them hold anybody up.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS

from pitwall_flags.errors import BudgetError

MAX_STEPS: Final = 50_000
"""Of one evaluation: some tens of milliseconds. A loop over a list of 1 000 may take 50 for each."""

CHARACTERS_A_STEP: Final = 64
MAX_LEVELS: Final = 64
"""Of lists and objects in a value: operators go down into them by recursion."""

MAX_BITS: Final = 1_024
"""Of an integer: beyond, it is no JSON number that other evaluators could read."""

MAX_VERSION: Final = 256
"""Characters of a version that sem_ver compares."""


def outcome(rule: Any, targeting_key: str, attributes: Mapping[str, Any]) -> Any:
    """What a rule answers for this context. Raises BudgetError, ReferenceError for an operator that there is not, and
    what operators raise."""
    about = {"flagKey": "flag", "timestamp": int(time.time())}
    context = {**attributes, "$flagd": about, "targetingKey": targeting_key or None}
    evaluation = Evaluation()
    answer = evaluation.apply(rule, context)
    evaluation.pay_for(answer)
    return answer


class Evaluation:
    """One evaluation, and what is left of its budget."""

    __slots__ = ("_left",)

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def apply(self, logic: Any, data: Any) -> Any:
        """The value of a rule, or of a part of one. Raises as `outcome` does."""
        self._pay(1)
        if isinstance(logic, list):
            return [self.apply(part, data) for part in logic]
        if not isinstance(logic, dict) or len(logic) != 1:
            return logic
        [(name, given)] = logic.items()
        arguments = given if isinstance(given, list) else [given]
        if name in _BRANCHES:
            return _BRANCHES[name](self, arguments, data)
        if name in _LOOPS:
            return self._loop(name, arguments, data)
        return self._operate(name, [self.apply(part, data) for part in arguments], data)

    def pay_for(self, value: Any) -> None:
        """Pay for a value whole, with all that is in it: an operator may look at each part. Raises BudgetError."""
        waiting = [(value, 1)]
        while waiting:
            part, level = waiting.pop()
            if isinstance(part, str):
                self._pay(1 + len(part) // CHARACTERS_A_STEP)
            elif isinstance(part, list | dict):
                self._pay(1 + len(part))
                if level >= MAX_LEVELS:
                    raise BudgetError(f"a value nests deeper than {MAX_LEVELS} levels; build it flatter")
                inside = part.values() if isinstance(part, dict) else part
                waiting.extend((each, level + 1) for each in inside)
            elif isinstance(part, int) and part.bit_length() > MAX_BITS:
                raise BudgetError(f"an integer has {part.bit_length()} bits; the limit is {MAX_BITS}")

    def _pay(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise BudgetError(
                f"the evaluation takes more than {MAX_STEPS} steps; let its targeting loop over shorter lists, or less"
            )

    def _operate(self, name: str, values: list[Any], data: Any) -> Any:
        operator = OPERATORS.get(name)
        if operator is None:
            raise ReferenceError(f"there is no operator {name[:64]!r}")
        for value in values:
            self.pay_for(value)
        if name == "sem_ver" and any(isinstance(value, str) and len(value) > MAX_VERSION for value in values):
            raise BudgetError(f"sem_ver compares versions of at most {MAX_VERSION} characters")
        return operator(data, *values)

    def _first(self, arguments: list[Any], data: Any) -> Any:
        """`if`: condition and answer in turn, the last of an odd number without condition."""
        for place in range(0, len(arguments) - 1, 2):
            if to_bool(self.apply(arguments[place], data)):
                return self.apply(arguments[place + 1], data)
        return self.apply(arguments[-1], data) if len(arguments) % 2 else None

    def _and(self, arguments: list[Any], data: Any) -> Any:
        found = None
        for part in arguments:
            found = self.apply(part, data)
            if not to_bool(found):
                return found
        return found

    def _or(self, arguments: list[Any], data: Any) -> Any:
        found = None
        for part in arguments:
            found = self.apply(part, data)
            if to_bool(found):
                return found
        return found

    def _loop(self, name: str, arguments: list[Any], data: Any) -> Any:
        """`map` and `reduce` go without a body too, the others answer as for an empty list."""
        if not arguments or (len(arguments) < 2 and name not in ("map", "reduce")):
            return _LOOPS[name]
        found = self.apply(arguments[0], data)
        body = arguments[1] if len(arguments) > 1 else None
        if name == "reduce":
            return self._reduce(found, body, arguments[2] if len(arguments) > 2 else None)
        items = found if isinstance(found, list) else []
        if name == "map":
            return [self.apply(body, item) for item in items]
        holds = (to_bool(self.apply(body, item)) for item in items)
        match name:
            case "filter":
                return [item for item, is_kept in zip(items, holds, strict=True) if is_kept]
            case "all":
                return bool(items) and all(holds)
            case "some":
                return any(holds)
        return not any(holds)

    def _reduce(self, items: Any, body: Any, found: Any) -> Any:
        for item in items if isinstance(items, list) else ():
            found = self.apply(body, {"accumulator": found, "current": item})
        return found


def to_bool(value: Any) -> bool:
    """Whether a value counts as true."""
    return bool(OPERATORS["!!"](None, value))


_BRANCHES: Final[Mapping[str, Callable[[Evaluation, list[Any], Any], Any]]] = {
    "if": Evaluation._first,
    "?:": Evaluation._first,
    "and": Evaluation._and,
    "or": Evaluation._or,
}
_LOOPS: Final[Mapping[str, Any]] = {
    "map": [], "filter": [], "reduce": None, "all": False, "some": False, "none": True,
}  # fmt: skip
"""What each answers without its arguments."""
