"""Refuses an edit of a Rollout that would take the place of an abort which waits to be carried out."""

from pydantic import ValidationError

from pitwall_crds.rollout import Rollout
from pitwall_operator.decision.permission.pending import overtaking
from pitwall_operator.kube.cache import is_leaving
from pitwall_operator.kube.client import ROLLOUTS, Kind, Object


def overtaken_abort(kind: Kind, operation: str, found: Object, before: Object) -> str:
    """Why it is refused; empty if it is not. `before` is what the API server has stored, which may be newer than what
    the watches brought."""
    if kind is not ROLLOUTS or operation != "UPDATE" or is_leaving(found):
        return ""
    try:
        stored = Rollout.model_validate(before)
        wanted = Rollout.model_validate({**found, "status": {}}).spec.action
    except ValidationError:  # what is wrong with it is another's matter
        return ""
    return overtaking(stored, wanted.verb if wanted else None)
