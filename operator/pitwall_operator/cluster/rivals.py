"""Says what other Rollouts claim of the flag and the variants of one, by what the cache knows."""

from pydantic import ValidationError

from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.decision.permission.ownership import RolloutClaim, claim_of
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS, Object
from pitwall_operator.values.object_key import Key


def rivals(cache: Cache, key: Key, found: Object) -> list[RolloutClaim]:
    """What Rollouts claim that share the flag or a variant with this one; no other can be in its way."""
    others = sorted(cache.concerned(ROLLOUTS, found) - {key})
    return [known for other in others if (known := claim(cache, other)) is not None]


def claim(cache: Cache, key: Key) -> RolloutClaim | None:
    """What a Rollout claims; nothing where it is gone, somebody deleted it, or nobody can read it."""
    return cache.read(ROLLOUTS, key, _claim) if cache.stays(key) else None


def _claim(found: Object) -> RolloutClaim | None:
    try:
        return claim_of(Rollout.model_validate(found))
    except ValidationError:
        return None
