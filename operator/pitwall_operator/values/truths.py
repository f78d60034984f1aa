"""A status in, its conditions as numbers out: 1 for what is True and 0 for what is False; Unknown is neither."""

from pitwall_crds.resource import ConditionStatus
from pitwall_crds.rollout.status import RolloutStatus

VALUES = {ConditionStatus.TRUE: 1, ConditionStatus.FALSE: 0}


def truths(status: RolloutStatus) -> dict[str, int]:
    """By the condition's type."""
    return {one.type: VALUES[one.status] for one in status.conditions if one.status in VALUES}
