"""Reads from decision records what a Rollout that was made anew must know: what is off, which requests were carried
out, the last run's id, and whether it was still under way."""

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from pitwall_crds.rollout.action import Action
from pitwall_crds.rollout.status import REMEMBERED_ACTIONS, FlaggedOff
from pitwall_operator.decision.steps.move import MOVING
from pitwall_operator.values.observation import Past

LIMIT = 16
"""So many entries a status can hold."""
UNDECLARED = ""
"""The revision of what was taken off before it was declared."""


async def past(records: Iterable[AsyncIterable[Mapping[str, Any]]]) -> Past:
    """What the records tell, each oldest line first and the latest record last. A run of a variant that was off was
    asked for by a person, and forgives it."""
    off: dict[tuple[str, str], FlaggedOff] = {}
    asked: dict[str, None] = {}
    last_run, under_way = "", None
    for record in records:
        async for line in record:
            if line.get("kind") == "run":
                last_run, under_way = str(line.get("run", last_run)), _begun(line)
                for revision in (str(line.get("candidate_revision")), UNDECLARED):
                    off.pop((str(line.get("candidate")), revision), None)
            elif (entry := _off(line)) is not None:
                off.pop((entry.variant, UNDECLARED), None)
                off[(entry.variant, entry.revision)] = entry
            elif (action := _asked(line)) is not None:
                asked.pop(action.id, None)
                asked[action.id] = None
            elif _ends(line, last_run):
                under_way = None
    return Past(tuple(off.values())[-LIMIT:], last_run, tuple(asked)[-REMEMBERED_ACTIONS:], under_way)


def _begun(line: Mapping[str, Any]) -> FlaggedOff | None:
    """The candidate of a run that began, as it is off if nobody could record that the run was killed."""
    name, revision, time = (line.get(field) for field in ("candidate", "candidate_revision", "time"))
    try:
        return FlaggedOff(variant=name, revision=revision, gate="", message="", time=time, aborted=True)
    except ValidationError:
        return None


def _ends(line: Mapping[str, Any], run: str) -> bool:
    """Whether a line tells that this run is over."""
    return line.get("kind") == "decision" and line.get("run") == run and line.get("phase") not in MOVING


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
