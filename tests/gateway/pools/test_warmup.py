"""A new pod answers a few recent questions before it answers users."""

import time

import pytest

from pitwall_crds.names import Metric
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.pools.warmup import WarmRule
from pitwall_gateway.serve.settings import Rules

FLAG = {"sampler.variant": ("candidate", "aks-v2")}
RUNS = {"sampler.variant": "run-1"}


@pytest.fixture
def growing(pit, split_flags):
    """A gateway whose candidate pool has answered six questions, and what adds pods to that pool."""
    old = pit.runtime("aks-v2")

    def build(**rules):
        pit.route({"aks-v2": {"candidate": [old.url]}})
        pit.open(split_flags(FLAG, RUNS), Rules(**rules))
        for number in range(6):
            assert pit.ask(f"user-{number}", number=number).status_code == 200
        return old

    return build


def pool(pit, *runtimes):
    pit.route({"aks-v2": {"candidate": [runtime.url for runtime in runtimes]}})


def arms(runtime):
    return [headers["x-pitwall-arm"] for headers in runtime.headers]


def test_a_new_pod_answers_recent_questions_first_and_they_count_for_nobody(pit, growing):
    old, fresh = growing(), pit.runtime("aks-v2")
    pool(pit, old, fresh)

    pit.until(lambda: pit.ask("ann") and "candidate" in arms(fresh), "the new pod's first user")

    assert arms(fresh)[:4] == ["shadow"] * 4
    assert "shadow" not in arms(fresh)[4:]
    assert len({str(question) for question in fresh.seen[:4]}) == 4
    asked = arms(old).count("candidate") + arms(fresh).count("candidate")
    assert pit.metric(Metric.QUERIES) == pit.metric(Metric.EVIDENCE_QUERIES, run="run-1") == asked


def test_a_quiet_gateway_warms_a_new_pod_too(pit, growing):
    old, fresh = growing(), pit.runtime("aks-v2")
    pool(pit, old, fresh)

    pit.until(lambda: len(fresh.seen) == 4, "the warm-up without any question")

    assert arms(fresh) == ["shadow"] * 4


def test_while_a_new_pod_warms_up_its_neighbors_answer(pit, growing):
    old, fresh = growing(), pit.runtime("aks-v2", hangs=True)
    pool(pit, old, fresh)
    pit.until(lambda: len(fresh.seen) == 2, "the warm-up")

    assert {pit.ask("ann").status_code for _ in range(6)} == {200}
    assert arms(fresh) == ["shadow"] * 2


def test_the_users_of_a_pool_without_any_warm_pod_wait_for_it(pit, growing):
    growing()
    fresh = pit.runtime("aks-v2", hangs=True)
    pool(pit, fresh)
    pit.until(lambda: fresh.seen, "the warm-up")

    with pit.in_background(lambda: pit.ask("ann")) as asked:
        pit.until(lambda: pit.metric(Metric.EVIDENCE_BEYOND, edge="0.256") > 0, "the user to wait")
        users_before = arms(fresh).count("candidate")
        fresh.release.set()

    assert asked.result().status_code == 200
    assert users_before == 0
    assert arms(fresh) == [*["shadow"] * 4, "candidate"]


def test_but_not_for_ever(pit, growing):
    growing(warm=WarmRule(wait_seconds=0.3))
    fresh = pit.runtime("aks-v2", hangs=True)
    pool(pit, fresh)
    pit.until(lambda: fresh.seen, "the warm-up")

    with pit.in_background(lambda: pit.ask("ann")) as asked:
        pit.until(lambda: "candidate" in arms(fresh), "the user to be let through")
        warmed_up = arms(fresh).count("shadow")
        fresh.release.set()

    assert asked.result().status_code == 200
    assert warmed_up == 2


@pytest.mark.parametrize("number", [5, 2], ids=["the first of them", "the last of them"])
def test_one_users_slow_question_holds_up_no_warm_up(pit, growing, number):
    """As one about a film that its server gives slowly the second time."""
    growing()
    fresh = pit.runtime("aks-v2", hangs=True, hangs_about=f"'number': {number}")
    pool(pit, fresh)
    pit.until(lambda: len(fresh.seen) >= 4, "the warm-up")

    assert pit.ask("ann").status_code == 200
    pit.until(lambda: fresh.left == 1, "nobody to wait for its answer any more")
    assert arms(fresh) == [*["shadow"] * 4, "candidate"]


def test_the_only_question_that_is_known_holds_up_nobody_for_long(pit, split_flags):
    old, fresh = pit.runtime("aks-v2"), pit.runtime("aks-v2", hangs=True, hangs_about="'number': 7")
    pool(pit, old)
    pit.open(split_flags(FLAG, RUNS), Rules(warm=WarmRule(wait_seconds=20)))
    pit.ask("ann", number=7)
    pool(pit, fresh)
    pit.until(lambda: fresh.seen, "the warm-up")

    began = time.monotonic()
    assert pit.ask("bob").status_code == 200
    assert time.monotonic() - began < 15, "a quarter of the time, and not all of it"


def test_a_pod_is_not_cold_for_want_of_one_users_film(pit, growing):
    growing()
    fresh = pit.runtime("aks-v2", status=502, refuses_about="")
    pool(pit, fresh)

    pit.until(lambda: len(fresh.seen) == 4, "all questions of the warm-up")

    assert arms(fresh) == ["shadow"] * 4


def test_users_of_a_new_control_pool_are_answered_by_the_main_pool_meanwhile(pit, split_flags):
    main, fresh = pit.runtime("uniform-v1"), pit.runtime("uniform-v1", hangs=True)
    pit.route({"uniform-v1": {"stable": [main.url]}})
    pit.open(split_flags({"sampler.variant": ("control", "uniform-v1")}, RUNS))
    pit.ask("ann")
    pit.route({"uniform-v1": {"stable": [main.url], "control": [fresh.url]}})
    pit.until(lambda: fresh.seen, "the warm-up")

    assert pit.ask("ann").status_code == 200
    assert (len(main.seen), arms(fresh)) == (2, ["shadow"])


@pytest.mark.parametrize("behavior", [{"status": 500}, {"hangs": True}], ids=["fails", "hangs"])
def test_a_pod_that_fails_its_warm_up_is_let_go_after_two_questions(pit, growing, behavior):
    growing(limits=CallLimits(answer_seconds=0.3))
    fresh = pit.runtime("aks-v2", **behavior)
    pool(pit, fresh)
    pit.until(lambda: fresh.seen, "the warm-up")

    pit.until(lambda: pit.ask("ann") and "candidate" in arms(fresh), "the pod to be let go")

    assert arms(fresh).count("shadow") <= 2


def test_a_pod_that_left_and_came_back_is_new(pit, growing):
    old, other = growing(), pit.runtime("aks-v2")
    pool(pit, other)
    pit.until(lambda: pit.ask("ann") and "candidate" in arms(other), "the other pod to be the only one")
    pool(pit, old, other)

    pit.until(lambda: arms(old).count("shadow") == 4, "the warm-up")

    assert "shadow" not in arms(old)[:6], "its first life ended before"


def test_before_the_first_answer_pods_are_used_at_once(pit, split_flags):
    old, fresh = pit.runtime("aks-v2"), pit.runtime("aks-v2")
    pool(pit, old)
    pit.open(split_flags(FLAG, RUNS))
    pit.until(lambda: pit.client.get(pit.url + "/readyz").status_code == 200, "the first pod")
    pit.route({"aks-v2": {"candidate": [fresh.url]}, "air-v1": {}})
    pit.until(lambda: "air-v1" in pit.client.get(pit.url + "/v1/models").text, "the new routes")

    pit.ask("ann")

    assert arms(fresh) == ["candidate"]


def test_the_warm_up_can_be_switched_off(pit, growing):
    old, fresh = growing(warm=WarmRule(questions=0)), pit.runtime("aks-v2")
    pool(pit, old, fresh)

    pit.until(lambda: pit.ask("ann") and fresh.seen, "the new pod's first user")

    assert "shadow" not in arms(fresh)


def test_shutting_down_does_not_wait_for_a_warm_up(pit, growing):
    old, fresh = growing(warm=WarmRule(wait_seconds=110)), pit.runtime("aks-v2", hangs=True)
    pool(pit, old, fresh)
    pit.until(lambda: fresh.seen, "the warm-up")

    started = time.monotonic()
    pit.gateway.stop()

    assert time.monotonic() - started < 60
