"""Counts the time of a stage in which nobody could look: it says nothing of a candidate, neither good nor bad.

Pure: no clock, chance or I/O.
"""

import math
from typing import Final

from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import Phase, RolloutStatus
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Reading

LOOKS: Final = 10
"""So many looks a bake takes at least, as does a stage until its deadline: fewer blocks prove no harm."""
BLOCKS_LATE: Final = 2
"""A block may be so many times as long as it must be before that is more than a slow look."""
SLOW_SECONDS: Final = 15.0
"""Nor is so long a block: a scrape and a turn may take as much."""
MOST_SECONDS: Final = 2**31 - 1


def remember_unwatched(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> RolloutStatus:
    """The status when a block ends that was much longer than it had to be, since counters could not be read or nobody
    was there to read them; or that is not weighed, since it was disturbed."""
    begun = status.last_block_time or status.run_start_time
    since = max(timestamps.to_epoch(begun), timestamps.to_epoch(status.stage_entered_time or begun))
    lasted = reading.time - since
    lost = math.floor(lasted if status.disturbed else lasted - _watched_by_one_look(spec, status))
    if lost <= 0:
        return status
    return status.model_copy(update={"unwatched_seconds": min(status.unwatched_seconds + lost, MOST_SECONDS)})


def _watched_by_one_look(spec: RolloutSpec, status: RolloutStatus) -> float:
    stage = spec.stages[status.stage_index]
    lasts = max(stage.min_seconds, stage.bake_seconds) if status.phase is Phase.BAKE else stage.max_seconds
    return max(BLOCKS_LATE * status.block_seconds, SLOW_SECONDS, lasts / LOOKS)
