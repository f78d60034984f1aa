"""How long blocks are, and why, in words for which a status has room."""

import pytest

from pitwall_crds.names import Label, Metric
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.gates.counting.blocks import LONGEST_SECONDS, with_block_length
from pitwall_operator.values.observation import ProcessCounters, Reading

NAMES = (Metric.EVIDENCE_MEMORY, Metric.EVIDENCE_HISTORY)


@pytest.mark.parametrize("measured", ["+Inf", "1e300", "7200", "86400.123456"])
def test_whatever_gateways_measured_the_reason_fits_into_a_status(world, measured):
    variant = "v" * 63
    shown = ProcessCounters(0.0, {name: [({Label.SAMPLER_VARIANT: variant}, float(measured))] for name in NAMES})
    status = world.status.model_copy(update={"stable_variant": variant})
    spec = world.rollout.spec.model_copy(
        update={"analysis": world.rollout.spec.analysis.model_copy(update={"block_seconds": None})}
    )

    known = with_block_length(spec, status, Reading(1.0, {"gateway": shown}))

    assert known.block_seconds == LONGEST_SECONDS
    assert known.block_reason.startswith("slow queries of vvv")
    assert RolloutStatus.model_validate_json(known.model_dump_json(by_alias=True)) == known
