"""Where an arm's questions go, and how the file's changes arrive."""

import json
import os

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.pools.routes import AVOID_SECONDS, LOOK_SECONDS, Routes, RouteTable, parse_routes
from pitwall_gateway.values.errors import RoutesError

ROUTES = Routes(
    {
        "aks-v2": {"candidate": ("http://c",), "shadow": ("http://s",)},
        "uniform-v1": {"stable": ("http://a", "http://b"), "control": ()},
        "gone-v1": {"stable": ()},
    }
)


@pytest.mark.parametrize(
    ("variant", "arm", "urls"),
    [
        pytest.param("aks-v2", Arm.CANDIDATE, ("http://c",), id="the-exact-arm"),
        pytest.param("aks-v2", Arm.SHADOW, ("http://s",), id="the-exact-arm-of-a-shadow"),
        pytest.param("uniform-v1", Arm.CONTROL, ("http://a", "http://b"), id="an-empty-arm-is-served-by-stable"),
        pytest.param("aks-v2", Arm.STABLE, ("http://c",), id="no-stable-pool-then-any"),
        pytest.param("gone-v1", Arm.STABLE, (), id="no-urls-at-all"),
        pytest.param("never-v1", Arm.STABLE, (), id="unknown-variant"),
    ],
)
def test_an_arm_is_served_by(variant, arm, urls):
    assert ROUTES.urls(variant, arm) == urls


@pytest.mark.parametrize(
    ("preferred", "named"),
    [("", "uniform-v1"), ("aks-v2", "aks-v2"), ("gone-v1", "uniform-v1"), ("never-v1", "uniform-v1")],
)
def test_the_stable_variant_is_the_preferred_one_if_it_has_a_url(preferred, named):
    assert ROUTES.stable_variant(preferred) == named


def test_a_variant_without_stable_pool_serves_if_there_is_no_other():
    assert Routes({"aks-v2": {"candidate": ("http://c",)}}).stable_variant() == "aks-v2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "top level"),
        ('{"variants": []}', "top level"),
        ('{"variants": {"a": []}}', "variant a"),
        ('{"variants": {"a": {"stable": "http://x"}}}', "a.stable must be a list"),
        ('{"variants": {"a": {"stable": ["ftp://x"]}}}', "'ftp://x'"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(text, words):
    with pytest.raises(RoutesError, match=words):
        parse_routes(text)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "routes.json"
    path.write_text(json.dumps({"variants": {"a": {"stable": ["http://one/"]}}}))
    return path


def test_a_change_of_the_file_is_seen(path):
    table = RouteTable(path)
    before = table.current(0.0).urls("a", Arm.STABLE)
    path.write_text(json.dumps({"variants": {"a": {"stable": ["http://two"]}}}))
    os.utime(path, (1, 1))

    assert before == ("http://one",)
    assert table.current(LOOK_SECONDS).urls("a", Arm.STABLE) == ("http://two",)


@pytest.mark.parametrize("break_it", [lambda path: path.write_text("{"), lambda path: path.unlink()])
def test_a_broken_or_lost_file_keeps_the_last_valid_routes_and_says_so(path, break_it):
    table = RouteTable(path)
    table.current(0.0)
    break_it(path)

    assert table.current(1.0).urls("a", Arm.STABLE) == ("http://one",)
    assert table.problem


def test_a_file_that_comes_later_is_read(tmp_path):
    table = RouteTable(tmp_path / "routes.json")
    assert not table.current(0.0).has_url()
    (tmp_path / "routes.json").write_text(json.dumps({"variants": {"a": {"stable": ["http://one"]}}}))

    assert table.current(1.0).has_url()


def test_idle_urls_take_turns(path):
    table = RouteTable(path)

    picks = [table.pick(("http://a", "http://b"), 0.0) for _ in range(4)]

    assert sorted(picks[:2]) == sorted(picks[2:]) == ["http://a", "http://b"]


def test_the_least_busy_url_is_picked(path):
    table = RouteTable(path)
    table.begin("http://a")

    picks = {table.pick(("http://a", "http://b"), 0.0) for _ in range(4)}
    table.end("http://a")

    assert picks == {"http://b"}
    assert {table.pick(("http://a", "http://b"), 0.0) for _ in range(4)} == {"http://a", "http://b"}


def test_a_url_that_refused_is_passed_over_for_a_moment_but_not_if_it_is_the_only_one(path):
    table = RouteTable(path)
    table.refused("http://a", 0.0)

    assert {table.pick(("http://a", "http://b"), 1.0) for _ in range(4)} == {"http://b"}
    assert table.pick(("http://a",), 1.0) == "http://a"
    assert "http://a" in {table.pick(("http://a", "http://b"), AVOID_SECONDS + 1) for _ in range(4)}
