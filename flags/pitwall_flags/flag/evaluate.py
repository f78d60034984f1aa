"""Evaluates a flag for one user; it never raises."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.model import FlagStore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from pitwall_crds.names import FULL_WEIGHT
from pitwall_flags.errors import BudgetError
from pitwall_flags.flag import bucket, targeting
from pitwall_flags.flag.document import Split, read_split
from pitwall_flags.flag.readable import unreadable

Attributes = Mapping[str, Any]
Metadata = Mapping[str, bool | int | float | str]


class ResolutionReason(StrEnum):
    """Why this value: the reasons of the OpenFeature specification that an evaluation here can have."""

    STATIC = "STATIC"
    DEFAULT = "DEFAULT"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    DISABLED = "DISABLED"
    STALE = "STALE"
    ERROR = "ERROR"


class EvaluationFault(StrEnum):
    """Why there is no value: the error codes of the OpenFeature specification that an evaluation here can have."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    GENERAL = "GENERAL"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"


@dataclass(frozen=True, slots=True)
class FlagResolution:
    """What a flag says for one context. `value` is None when the caller's default applies."""

    value: Any
    variant: str
    reason: ResolutionReason
    metadata: Metadata
    fault: EvaluationFault | None = None
    message: str = ""


class Rule(Protocol):
    """One compiled flag."""

    def resolve(self, targeting_key: str, attributes: Attributes) -> FlagResolution:
        """The flag's answer for this context; never raises."""


class SplitRule:
    """A document that `document` wrote: one hash and at most three comparisons."""

    __slots__ = ("_default", "_edges", "_prefix")

    def __init__(self, split: Split, default: FlagResolution, metadata: Metadata) -> None:
        self._prefix = bucket.prefix(split.salt)
        self._default = default
        edges, edge = [], 0
        for share in split.shares:
            edge += share.weight
            edges.append((edge, FlagResolution(share.variant, str(share.arm), ResolutionReason.SPLIT, metadata)))
        self._edges = tuple(edges)

    def resolve(self, targeting_key: str, attributes: Attributes) -> FlagResolution:  # noqa: ARG002 - a split asks the key only
        """The arm whose buckets hold the key; without a key the default arm."""
        if not targeting_key:
            return self._default
        place = bucket.bucket(self._prefix, targeting_key, FULL_WEIGHT)
        for edge, resolution in self._edges:
            if place < edge:
                return resolution
        return self._default


class GeneralRule:
    """Any other flagd document, evaluated by flagd's own Python evaluator, its targeting within a budget."""

    __slots__ = ("_core", "_metadata", "_resolve", "_targeting")

    def __init__(self, document: Mapping[str, Any], evaluators: Mapping[str, Any], metadata: Metadata) -> None:
        store = FlagStore()
        store.update(json.loads(json.dumps({"flags": {"flag": document}, "$evaluators": evaluators})))
        flag = store.get_flag("flag")
        self._targeting = flag.targeting if flag is not None and flag.state == "ENABLED" else None
        asked = {"targeting": {"var": _OUTCOME}} if self._is_targeted() else {}
        self._core = FlagdCore()
        self._core.set_flags(json.dumps({"flags": {"flag": {**document, **asked}}, "$evaluators": evaluators}))
        self._metadata = metadata
        self._resolve = _typed(self._core, document["variants"])

    def _is_targeted(self) -> bool:
        return isinstance(self._targeting, dict) and bool(self._targeting)

    def resolve(self, targeting_key: str, attributes: Attributes) -> FlagResolution:
        """flagd-core's answer, which is told what the targeting answers; whatever is raised becomes a fault."""
        try:
            found = targeting.outcome(self._targeting, targeting_key, attributes) if self._is_targeted() else None
            told: dict[str, Any] = {_OUTCOME: found}
            answer = self._resolve("flag", None, EvaluationContext(targeting_key or None, told))
        except BudgetError as error:
            return faulty(EvaluationFault.GENERAL, str(error), self._metadata)
        except ReferenceError as error:
            return faulty(EvaluationFault.PARSE_ERROR, str(error), self._metadata)
        except OpenFeatureError as error:
            return faulty(EvaluationFault(error.error_code.value), error.error_message or "", self._metadata)
        except (Exception, RecursionError) as error:  # a rule of another party must not stop a gateway
            return faulty(EvaluationFault.GENERAL, f"{type(error).__name__}: {error}", self._metadata)
        if isinstance(answer.value, float) and not math.isfinite(answer.value):
            return faulty(EvaluationFault.GENERAL, "the value is not a finite number", self._metadata)
        return FlagResolution(answer.value, answer.variant or "", ResolutionReason(str(answer.reason)), self._metadata)


@dataclass(frozen=True, slots=True)
class FaultyRule:
    """A document that no evaluator can use."""

    resolution: FlagResolution

    def resolve(self, targeting_key: str, attributes: Attributes) -> FlagResolution:  # noqa: ARG002 - nothing is asked
        """Always the fault."""
        return self.resolution


def faulty(fault: EvaluationFault, message: str, metadata: Metadata | None = None) -> FlagResolution:
    """A resolution without a value."""
    return FlagResolution(None, "", ResolutionReason.ERROR, metadata or {}, fault, message)


def compile_rule(document: Any, evaluators: Mapping[str, Any], set_metadata: Metadata) -> Rule:
    """The rule of one flag definition; a definition that cannot be used becomes a rule that says so."""
    try:
        fault = unreadable(document)
        if fault:  # stored before such were refused: an answer that holds it could not be sent
            return FaultyRule(faulty(EvaluationFault.PARSE_ERROR, f"unusable flag definition: {fault}", set_metadata))
        metadata = {**set_metadata, **document.get("metadata", {})}
        split = read_split(document)
        if split is None:
            return GeneralRule(document, evaluators, metadata)
        default = document["defaultVariant"]
        return SplitRule(
            split, FlagResolution(document["variants"][default], default, ResolutionReason.DEFAULT, metadata), metadata
        )
    except (Exception, RecursionError) as error:  # documents come from outside
        return FaultyRule(
            faulty(EvaluationFault.PARSE_ERROR, f"unusable flag definition: {type(error).__name__}: {error}")
        )


_OUTCOME: Final = "outcome"
"""Under this name flagd-core is told what the targeting answers; from there on everything is its own."""


def _typed(core: FlagdCore, variants: Mapping[str, Any]) -> Any:
    values = list(variants.values())
    if all(isinstance(value, bool) for value in values):
        return core.resolve_boolean_value
    if all(isinstance(value, str) for value in values):
        return core.resolve_string_value
    if all(isinstance(value, int) for value in values):
        return core.resolve_integer_value
    if all(isinstance(value, int | float) for value in values):
        return core.resolve_float_value
    return core.resolve_object_value
