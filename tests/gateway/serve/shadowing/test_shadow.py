"""Shadow copies: compared, bounded, and never in a user's way."""

import time

import pytest

from pitwall_gateway.flags.port import FixedFlags
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.serve.settings import Rules
from pitwall_gateway.serve.shadowing.shadow import ShadowRule, paid_for
from pitwall_gateway.values.answer import VariantAnswer

SHADOW = {"sampler_variant": "aks-v2"}


def pairs(pit, outcome):
    return pit.metric("pitwall_shadow_pairs_total", **SHADOW, outcome=outcome)


def test_a_copy_is_measured_against_the_answer_and_thrown_away(pit, duel):
    _, candidate = duel("stable", shadow="aks-v2", tokens=150)

    answer = pit.ask("ann", note="kept")
    pit.until(lambda: pairs(pit, "ok") == 1, "the copy")

    assert answer.json()["pitwall"]["sampler_variant"] == "uniform-v1"
    assert candidate.seen[0]["note"] == "kept"
    assert candidate.headers[0]["x-pitwall-arm"] == "shadow"
    assert pit.metric("pitwall_shadow_tokens_ratio_sum", **SHADOW) == pytest.approx(1.5)
    assert pit.metric("pitwall_shadow_latency_ratio_count", **SHADOW) == 1
    assert pit.metric("pitwall_query_latency_seconds_count", **SHADOW, arm="shadow") == 1
    assert pit.metric("pitwall_queries_total", **SHADOW, arm="shadow", outcome="ok") == 1


@pytest.mark.parametrize("behaviour", [{"status": 500}, {"status": 400}], ids=["fails", "refuses"])
def test_a_copy_without_answer_is_an_error_of_the_pair_and_no_users_matter(pit, duel, behaviour):
    duel("stable", shadow="aks-v2", **behaviour)

    answer = pit.ask("ann")
    pit.until(lambda: pairs(pit, "error") == 1, "the copy")

    assert answer.status_code == 200
    assert pit.metric("pitwall_shadow_latency_ratio_count") == 0
    assert pit.metric("pitwall_queries_total", **SHADOW, arm="shadow", outcome="error") == 1


def test_a_hanging_shadow_delays_neither_users_nor_shutdown_and_overflow_is_dropped(pit, duel):
    rules = Rules(shadow=ShadowRule(queue=2, concurrency=1), limits=CallLimits(answer_seconds=30))
    _, candidate = duel("stable", shadow="aks-v2", rules=rules, hangs=True)

    pit.ask("ann")
    pit.until(lambda: candidate.seen, "the first copy to hang")
    started = time.monotonic()
    answers = [pit.ask(f"user-{number}") for number in range(5)]
    took = time.monotonic() - started

    assert {answer.status_code for answer in answers} == {200}
    assert took < 25
    pit.until(lambda: pit.metric("pitwall_shadow_dropped_total", **SHADOW) == 3, "the overflow to be dropped")
    assert len(candidate.seen) == 1
    started = time.monotonic()
    pit.gateway.stop()
    assert time.monotonic() - started < 25


def test_the_copy_starts_only_after_the_users_answer(pit, duel):
    stable, candidate = duel("stable", shadow="aks-v2")
    stable.hangs = True

    with pit.in_background(lambda: pit.ask("ann")) as asked:
        pit.until(lambda: stable.seen, "the question to arrive")
        for _ in range(30):  # whatever the gateway had to do before the answer, it had the time to
            pit.client.get(pit.url + "/healthz")
        copies_before_the_answer = len(candidate.seen)
        stable.release.set()
    pit.until(lambda: candidate.seen, "the copy")

    assert asked.result().status_code == 200
    assert copies_before_the_answer == 0


def test_an_answer_of_the_same_variant_is_not_copied_to_it(pit):
    stable, candidate, other = (pit.runtime(name) for name in ("uniform-v1", "aks-v2", "air-v1"))
    pit.route({runtime.name: {"stable": [runtime.url]} for runtime in (stable, candidate, other)})
    values = {
        "sampler.variant": ("candidate", "aks-v2"),
        "sampler.variant.experiment.first-in-the-queue": ("shadow", "aks-v2"),
        "sampler.variant.shadow": ("shadow", "air-v1"),
    }
    pit.open(FixedFlags(values), Rules(shadow=ShadowRule(concurrency=1)))

    pit.ask("ann")
    pit.until(lambda: other.seen, "the copy to the other variant")

    assert len(candidate.seen) == 1


@pytest.mark.parametrize(
    ("primary", "shadow", "flatters"),
    [
        ("cold", "warm", True),
        ("cold", "cold", False),
        ("warm", "cold", False),
        ("warm", "warm", False),
        ("", "", False),
    ],
)
def test_a_pair_whose_primary_filled_the_shadows_cache_flatters_the_shadow(primary, shadow, flatters):
    assert paid_for(VariantAnswer(b"", {}, 1.0, 1, primary), VariantAnswer(b"", {}, 1.0, 1, shadow)) is flatters


def test_a_flattering_pair_has_no_latency_ratio_but_counts_otherwise(pit, duel):
    stable, _ = duel("stable", shadow="aks-v2")
    stable.cache = "cold"

    pit.ask("ann")
    pit.until(lambda: pairs(pit, "ok") == 1, "the copy")

    assert pit.metric("pitwall_shadow_latency_ratio_count") == 0
    assert pit.metric("pitwall_shadow_tokens_ratio_count") == 1


def test_a_fallback_is_no_measure_for_a_copy(pit, duel):
    third = pit.runtime("air-v1")
    stable, _ = duel("candidate", shadow="air-v1", status=500)
    routes = {"uniform-v1": {"stable": [stable.url]}, "air-v1": {"shadow": [third.url]}}
    pit.route(routes)

    pit.ask("ann")
    labels = {"sampler_variant": "air-v1", "arm": "shadow"}
    pit.until(lambda: pit.metric("pitwall_queries_total", **labels, outcome="ok") == 1, "the copy")

    assert pit.metric("pitwall_shadow_pairs_total") == 0
