"""Reads from decision records what a Rollout that was made anew must know: what is off, which requests were carried
out, and the last run's id."""

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from pitwall_crds.action import Action
from pitwall_crds.status import REMEMBERED_ACTIONS, FlaggedOff
from pitwall_operator.values.observation import Past

LIMIT = 16
"""So many entries a status can hold."""


async def past(records: Iterable[AsyncIterable[Mapping[str, Any]]]) -> Past:
    """What the records tell, each oldest line first and the latest record last. A run of a variant that was off was
    asked for by a person, and forgives it."""
    off: dict[tuple[str, str], FlaggedOff] = {}
    asked: dict[str, None] = {}
    last_run = ""
    for record in records:
        async for line in record:
            if line.get("kind") == "run":
                last_run = str(line.get("run", last_run))
                off.pop((str(line.get("candidate")), str(line.get("candidate_revision"))), None)
            elif (entry := _off(line)) is not None:
                off[(entry.variant, entry.revision)] = entry
            elif (action := _asked(line)) is not None:
                asked.pop(action.id, None)
                asked[action.id] = None
    return Past(tuple(off.values())[-LIMIT:], last_run, tuple(asked)[-REMEMBERED_ACTIONS:])


def _off(line: Mapping[str, Any]) -> FlaggedOff | None:
    """What a line takes off, if it does; whatever else may stand there keeps nothing off."""
    try:
        return FlaggedOff.model_validate(line.get("entry")) if line.get("kind") == "off" else None
    except ValidationError:
        return None


def _asked(line: Mapping[str, Any]) -> Action | None:
    """The request that a line says was carried out, if it does."""
    try:
        return Action.model_validate(line.get("action")) if line.get("kind") == "asked" else None
    except ValidationError:
        return None
