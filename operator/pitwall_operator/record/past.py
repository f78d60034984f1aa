"""Reads from a decision record what a Rollout that was made anew must know: what is off, and its last run's id."""

from collections.abc import AsyncIterable, Mapping
from typing import Any

from pydantic import ValidationError

from pitwall_crds.status import FlaggedOff
from pitwall_operator.values.observation import Past

LIMIT = 16
"""So many entries a status can hold."""


async def past(lines: AsyncIterable[Mapping[str, Any]]) -> Past:
    """What the lines tell, oldest first. A run of a variant that was off was asked for by a person, and forgives it."""
    off: dict[tuple[str, str], FlaggedOff] = {}
    last_run = ""
    async for line in lines:
        if line.get("kind") == "run":
            last_run = str(line.get("run", last_run))
            off.pop((str(line.get("candidate")), str(line.get("candidate_revision"))), None)
        elif line.get("kind") == "off":
            try:
                entry = FlaggedOff.model_validate(line.get("entry"))
            except ValidationError:  # whatever else may stand there keeps nothing off
                continue
            off[(entry.variant, entry.revision)] = entry
    return Past(tuple(off.values())[-LIMIT:], last_run)
