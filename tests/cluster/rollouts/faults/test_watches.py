"""The operator's way to the API server breaks, loudly or silently: nothing is done twice, no change stays unseen."""

import time
from collections.abc import Callable, Iterator

import pytest
from harness.plane.control_plane import ControlPlane
from harness.plane.proxy import Proxy
from harness.rollouts.scenario import Scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MANY = 500.0
OUTAGE_SECONDS = 8.0
"""Longer than a holder of the lease may act without renewing it."""
WATCHES = 5
SLACK_SECONDS = 40.0


@pytest.fixture
def by_proxy(scenario: Scenario, control_plane: ControlPlane) -> Iterator[Callable[..., Proxy]]:
    """Gives the scenario an operator that reaches the API server through a proxy."""
    proxy = Proxy(control_plane).start()

    def lead(*options: str) -> Proxy:
        kubeconfig = proxy.kubeconfig_of("operator", scenario.operator.folder)
        scenario.take_operator(kubeconfig=kubeconfig, options=options)
        return proxy

    try:
        yield lead
    finally:
        scenario.operator.process.kill()
        proxy.stop()


@pytest.mark.soak
def test_every_connection_is_cut_and_refused_on_the_way(scenario: Scenario, by_proxy: Callable[..., Proxy]):
    proxy = by_proxy()
    scenario.start_canary()
    before = scenario.split()

    proxy.cut()
    try:
        scenario.load.behave(rate=MANY)
        time.sleep(OUTAGE_SECONDS)
        assert scenario.split() == before
    finally:
        proxy.mend()

    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()


def test_watches_that_are_lost_in_silence_are_opened_anew(scenario: Scenario, by_proxy: Callable[..., Proxy]):
    silence = 15  # longer than a patch may take on a busy machine: it must come while the watches are lost
    proxy = by_proxy(f"--watch-silence-seconds={silence}")
    scenario.start()
    scenario.await_rest()

    assert proxy.lose_watches() == WATCHES
    scenario.patch("rollout", scenario.name, {"spec": {"variantRef": {"name": "aks-v1"}}})

    scenario.await_status(moves("aks-v1"), "the new candidate", seconds=silence + SLACK_SECONDS)
    assert proxy.withheld > 0


def test_watches_that_never_bring_anything_hide_no_change_for_long(scenario: Scenario, by_proxy: Callable[..., Proxy]):
    resync = 8
    proxy = by_proxy(f"--resync-seconds={resync}")
    scenario.start_canary()

    proxy.silence()
    scenario.ask("Abort")
    scenario.await_phase("Aborted", seconds=resync + SLACK_SECONDS)
    scenario.await_rest()
    scenario.patch("rollout", scenario.name, {"spec": {"variantRef": {"name": "dpp-v1"}}})

    scenario.await_status(moves("dpp-v1"), "the new candidate", seconds=resync + SLACK_SECONDS)
    assert proxy.withheld > 0


def moves(variant: str) -> Callable[[dict[str, str]], bool]:
    return lambda status: status.get("candidateVariant") == variant
