"""A person's request to a Rollout: promote, abort, retry or undo."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from pitwall_crds import names
from pitwall_crds.resource import Border

MAXIMUM_STAGES = 16
WeightBasisPoints = Annotated[int, Field(ge=1, le=names.FULL_WEIGHT)]


class Verb(StrEnum):
    """What a person may ask of a rollout, once per id."""

    PROMOTE = "Promote"
    ABORT = "Abort"
    RETRY = "Retry"
    UNDO = "Undo"


class Action(Border):
    """A person's request. The same id is carried out once."""

    id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Chosen by the asker, new for every request; the same id is carried out once.",
        ),
    ]
    verb: Verb
    actor: Annotated[str, Field(max_length=128, description="Who asks, for the record.")] = ""
    reason: Annotated[str, Field(max_length=256, description="Why, for the record.")] = ""
    full: Annotated[
        bool, Field(description="Promote: to everybody at once, past all stages and without their proof.")
    ] = False
    over_basis_points: Annotated[
        tuple[WeightBasisPoints, ...],
        Field(
            max_length=MAXIMUM_STAGES,
            description="Undo: over the stages of these weights, each for its minSeconds; empty is at once.",
        ),
    ] = ()


def _is_past(action: str) -> str:
    return (
        f"has(oldSelf.status) && (has(oldSelf.status.lastActionId) && oldSelf.status.lastActionId == {action}.id"
        f" || has(oldSelf.status.pastActionIds) && {action}.id in oldSelf.status.pastActionIds)"
    )


ABORT_GOES_FIRST: Final = (
    "!has(oldSelf.spec.action) || oldSelf.spec.action.verb != 'Abort'"
    f" || {_is_past('oldSelf.spec.action')}"
    " || has(self.spec.action) && self.spec.action.verb == 'Abort'"
    f" && (self.spec.action.id == oldSelf.spec.action.id || !({_is_past('self.spec.action')}))",
    "an abort waits to be carried out and goes first, also before an abort whose id was dealt with: ask again, by a "
    "new id, once status.lastActionId is the id of spec.action, within seconds where the operator runs; "
    "kubectl pitwall kill needs no operator",
)
"""A rule of a Rollout about a change, at which only the API server can look."""
