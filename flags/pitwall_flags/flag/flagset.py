"""An immutable set of flags, parsed from a flagd configuration and ready to be evaluated."""

import json
from collections.abc import Mapping
from typing import Any

from pitwall_flags.flag.evaluate import (
    Attributes,
    EvaluationFault,
    FlagResolution,
    GeneralRule,
    Metadata,
    Rule,
    compile_rule,
    faulty,
)


class FlagSet:
    """All flags at one moment. Rules are compiled when they are first asked for, and taken over from the set before."""

    def __init__(self, configuration: Mapping[str, Any], before: "FlagSet | None" = None) -> None:
        flags = configuration.get("flags", {})
        metadata = configuration.get("metadata", {})
        evaluators = configuration.get("$evaluators", {})
        if not all(isinstance(part, Mapping) for part in (flags, metadata, evaluators)):
            raise ValueError("flags, metadata and $evaluators of a flagd configuration must be objects")
        self.documents: Mapping[str, Any] = flags
        self.metadata: Metadata = metadata
        self._evaluators: Mapping[str, Any] = evaluators
        self._lasting = {name: value for name, value in metadata.items() if name not in _OF_THE_MOMENT}
        self._rules: dict[str, Rule] = before._rules_still_valid(self) if before else {}

    @classmethod
    def parse(cls, text: str, before: "FlagSet | None" = None) -> "FlagSet":
        """The set that a flagd configuration in JSON describes. Raises ValueError when it is not one."""
        try:
            configuration = json.loads(text)
        except RecursionError as error:
            raise ValueError("the configuration nests too deeply") from error
        if not isinstance(configuration, dict):
            raise ValueError(f"a flagd configuration is an object, not {type(configuration).__name__}")  # noqa: TRY004
        return cls(configuration, before)

    def is_quick(self, key: str) -> bool:
        """Whether the flag's answer is known without a rule of others: a split of ours, or no flag at all."""
        return not isinstance(self._rules.get(key) or self._compile(key), GeneralRule)

    def evaluate(self, key: str, targeting_key: str, attributes: Attributes) -> FlagResolution:
        """What the flag says for this context; never raises."""
        rule = self._rules.get(key) or self._compile(key)
        return (
            rule.resolve(targeting_key, attributes) if rule else faulty(EvaluationFault.FLAG_NOT_FOUND, _missing(key))
        )

    def changed_keys(self, before: "FlagSet | None") -> list[str]:
        """Keys that were added, removed or changed since that set, sorted."""
        old = before.documents if before else {}
        return sorted(key for key in {*old, *self.documents} if old.get(key) != self.documents.get(key))

    def _compile(self, key: str) -> Rule | None:
        document = self.documents.get(key)
        if document is None:
            return None
        rule = self._rules[key] = compile_rule(document, self._evaluators, self._lasting)
        return rule

    def _rules_still_valid(self, after: "FlagSet") -> dict[str, Rule]:
        if self._evaluators != after._evaluators or self._lasting != after._lasting:
            return {}
        return {
            key: rule for key, rule in tuple(self._rules.items()) if self.documents[key] == after.documents.get(key)
        }


_OF_THE_MOMENT = frozenset({"version", "writtenAtMs"})
"""Metadata of the set that changes with every write; a resolution carries the flag's own version instead."""


def _missing(key: str) -> str:
    return f"no flag {key!r}; list the flags with GET /v1/flags"
