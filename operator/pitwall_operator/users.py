"""Status and reading in; the users that gateways saw for the first time since the last block, out. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pitwall_crds.names import FULL_WEIGHT, Label, Metric
from pitwall_crds.rollout import RolloutSpec
from pitwall_crds.status import ArmWeight, RolloutStatus
from pitwall_operator import moments
from pitwall_operator.gates.sample_ratio import GATEWAYS, SampleRatio, UsersBlock
from pitwall_operator.observation import Reading, Source
from pitwall_operator.observe import counters

SETTLE_SECONDS = 5.0
"""Gateways follow a new split within a second; users of the first few belong to either."""

Seen = Mapping[str, Sequence[int]]


def _served(weights: Sequence[ArmWeight]) -> tuple[ArmWeight, ...]:
    return tuple(share for share in weights if share.weight_basis_points)


def _cumulative(source: Source, shares: Sequence[ArmWeight]) -> tuple[int, ...]:
    return tuple(
        round(
            counters.total(
                source, Metric.USERS, **{Label.SAMPLER_VARIANT: share.variant, Label.ARM: share.arm}
            )
        )
        for share in shares
    )  # fmt: skip


def _split_name(status: RolloutStatus) -> str:
    """One split in force, from its first moment on."""
    weights = "/".join(f"{share.arm} {share.weight_basis_points}" for share in _served(status.weights))
    return f"{status.run_id} {weights} since {status.stage_start_time}"


def sample_ratio(status: RolloutStatus) -> SampleRatio:
    """The evidence that the status keeps about the split that is in force now."""
    known = status.users if status.users.get("split") == _split_name(status) else {}
    return SampleRatio.from_state(known.get("evidence", {}))


def count(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> tuple[RolloutStatus, UsersBlock | None]:
    """The status with this block's users weighed; no block where one arm has all users or the split is too young."""
    shares, split = _served(status.weights), _split_name(status)
    settled = moments.to_epoch(status.stage_start_time) + SETTLE_SECONDS
    if len(shares) < 2 or reading.time < settled:
        return status, None
    now = {
        name: _cumulative(source, shares) for name, source in reading.sources.items() if Metric.USERS in source.samples
    }
    known: Mapping[str, Any] = status.users if status.users.get("split") == split else {}
    block = UsersBlock(
        split=split,
        stages=len(spec.stages),
        arms=tuple(share.arm for share in shares),
        shares=tuple(share.weight_basis_points / FULL_WEIGHT for share in shares),
        users=tuple((name, _new(row, known, name, reading.sources[name], settled)) for name, row in now.items())
        if known
        else (),
    )
    before: Seen = {**known.get("before", {}), **now}
    users = {
        "split": split,
        "before": {name: list(row) for name, row in list(before.items())[-GATEWAYS:]},
        "evidence": sample_ratio(status).update(block).to_state(),
    }
    return status.model_copy(update={"users": users}), block


def _new(row: Sequence[int], known: Mapping[str, Any], name: str, source: Source, settled: float) -> tuple[int, ...]:
    """Users since the last block; a gateway that began later has counted under this split only."""
    nobody = (0,) * len(row)
    before = known["before"].get(name, nobody if source.start_time > settled else row)
    return tuple(value if value < earlier else value - earlier for value, earlier in zip(row, before, strict=True))
