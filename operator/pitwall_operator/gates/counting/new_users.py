"""Counts the users that each gateway saw for the first time since the last block, by arm.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pitwall_crds.names import FULL_WEIGHT, Label, Metric
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import ArmWeight, RolloutStatus
from pitwall_flags.flag.document import split_name
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.counting.renamed import under_known_names
from pitwall_operator.gates.sample_ratio import GATEWAYS, SampleRatio, UsersBlock
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import ProcessCounters, Reading

STRAY_SECONDS = 120.0
"""A gateway follows a new split within a second, and its counters are read within a minute or so after that."""


def _served(status: RolloutStatus) -> tuple[ArmWeight, ...]:
    return tuple(share for share in status.weights if share.weight_basis_points)


def _split(status: RolloutStatus) -> str:
    """The split in force, as gateways name it."""
    return split_name(status.run_id, {share.arm: share.weight_basis_points for share in status.weights})


def _met(source: ProcessCounters, shares: Sequence[ArmWeight], split: str) -> tuple[int, ...]:
    """All users that a gateway met under this split, by arm."""
    return tuple(
        round(
            counters.total(
                source,
                Metric.USERS,
                **{Label.SAMPLER_VARIANT: share.variant, Label.ARM: share.arm, Label.SPLIT: split},
            )
        )
        for share in shares
    )


def sample_ratio(status: RolloutStatus) -> SampleRatio:
    """The evidence that the status keeps about the split that is in force now."""
    ratio = SampleRatio.from_state(status.users.get("evidence", {}))
    return ratio if ratio.split == _split(status) else SampleRatio()


def count(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> tuple[RolloutStatus, UsersBlock | None]:
    """The status with this block's users weighed; no block where one arm has all users."""
    shares, split, ratio = _served(status), _split(status), sample_ratio(status)
    gateways = {name: source for name, source in reading.sources.items() if _all(source, shares)}
    if len(shares) < 2 or not (gateways or ratio.gateways):
        return status, None
    known = {name: process.users for name, process in ratio.gateways} | _last_shown(status, split)
    gateways = under_known_names(gateways, known)
    shown = {name: _newest(_met(source, shares, split), known.get(name, ())) for name, source in gateways.items()}
    strayed = _strayed(status, reading, gateways)
    block = UsersBlock(
        split=split,
        stages=len(spec.stages),
        arms=tuple(share.arm for share in shares),
        shares=tuple(share.weight_basis_points / FULL_WEIGHT for share in shares),
        users=tuple((name, _new(row, known.get(name, ()))) for name, row in shown.items()),
        astray=tuple((name, now - before) for name, (before, now) in strayed.items()),
    )
    users: dict[str, Any] = {"evidence": ratio.update(block).to_state()}
    fallen = {
        name: row for name, row in (_last_shown(status, split) | shown).items() if _differs(ratio, block, name, row)
    }
    if fallen:
        users["shown"] = {"split": split, "rows": dict(list(fallen.items())[:GATEWAYS])}
    if strayed:
        users["strays"] = {"split": split, "before": {name: before for name, (before, _) in strayed.items()}}
    return status.model_copy(update={"users": users}), block


def _last_shown(status: RolloutStatus, split: str) -> dict[str, tuple[int, ...]]:
    """What gateways showed last whose counters fell: it is not what they have counted in all."""
    kept = status.users.get("shown", {})
    return {name: tuple(row) for name, row in kept["rows"].items()} if kept.get("split") == split else {}


def _differs(ratio: SampleRatio, block: UsersBlock, name: str, row: tuple[int, ...]) -> bool:
    """Whether a gateway shows something else than what it has counted in all."""
    before = dict(ratio.gateways).get(name)
    new = dict(block.users).get(name, (0,) * len(row))
    counted = tuple(map(sum, zip(before.users, new, strict=True))) if before else new
    return counted != row


def _newest(row: tuple[int, ...], known: Sequence[int]) -> tuple[int, ...]:
    """What a gateway shows, or what it showed before where this is an older view of it, as one of two replicas of
    Prometheus has it: some counter fell, and most users are still there."""
    behind = any(value < earlier for value, earlier in zip(row, known, strict=False))
    return tuple(known) if behind and 2 * sum(row) >= sum(known) else row


def _new(row: tuple[int, ...], known: Sequence[int]) -> tuple[int, ...]:
    """Users since the last block. Where one arm's counter fell, the process began anew with those of all arms, also
    where one has grown past what it was by now."""
    before = known or (0,) * len(row)
    if any(value < earlier for value, earlier in zip(row, before, strict=True)):
        return row
    return tuple(value - earlier for value, earlier in zip(row, before, strict=True))


def _all(source: ProcessCounters, shares: Sequence[ArmWeight], **labels: str) -> int:
    """Users of this rollout's variants that a gateway met, under whatever split."""
    variants = {share.variant for share in shares}
    return round(sum(counters.total(source, Metric.USERS, **{Label.SAMPLER_VARIANT: v}, **labels) for v in variants))


def _strayed(
    status: RolloutStatus, reading: Reading, gateways: Mapping[str, ProcessCounters]
) -> dict[str, tuple[int, int]]:
    """Users under other splits by gateway: when this split had long been in force, and now. None before that."""
    if reading.time < timestamps.to_epoch(status.stage_start_time) + STRAY_SECONDS:
        return {}
    shares, split, kept = _served(status), _split(status), status.users.get("strays", {})
    before = kept["before"] if kept.get("split") == split else {}
    others = {
        name: _all(source, shares) - _all(source, shares, **{Label.SPLIT: split})
        for name, source in list(gateways.items())[:GATEWAYS]
    }
    return {name: (min(before.get(name, now), now), now) for name, now in others.items()}
