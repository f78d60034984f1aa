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
        "lame-v1": {"stable": (), "control": ("http://k",)},
        "edited-v1": {"stable": ("http://old",), "candidate": (), "shadow": ()},
        "falling-v1": {"stable": (), "candidate": ("http://new",), "shadow": ("http://new",)},
    }
)


@pytest.mark.parametrize(
    ("variant", "arm", "urls"),
    [
        pytest.param("aks-v2", Arm.CANDIDATE, ("http://c",), id="the-exact-arm"),
        pytest.param("aks-v2", Arm.SHADOW, ("http://s",), id="the-exact-arm-of-a-shadow"),
        pytest.param("uniform-v1", Arm.CONTROL, ("http://a", "http://b"), id="an-empty-arm-is-served-by-stable"),
        pytest.param("lame-v1", Arm.STABLE, ("http://k",), id="control-pods-stand-in-for-the-main-ones"),
        pytest.param("uniform-v1", Arm.CANDIDATE, ("http://a", "http://b"), id="a-candidate-that-is-no-edit"),
        pytest.param("edited-v1", Arm.CANDIDATE, (), id="an-edit-without-pods-is-not-answered-for-by-the-old-revision"),
        pytest.param("edited-v1", Arm.SHADOW, (), id="nor-are-its-copies"),
        pytest.param("falling-v1", Arm.STABLE, (), id="an-edit-never-answers-for-what-it-is-to-replace"),
        pytest.param("falling-v1", Arm.CONTROL, (), id="nor-for-its-control"),
        pytest.param("gone-v1", Arm.STABLE, (), id="no-urls-at-all"),
        pytest.param("never-v1", Arm.STABLE, (), id="unknown-variant"),
    ],
)
def test_an_arm_is_served_by(variant, arm, urls):
    assert ROUTES.urls(variant, arm) == urls


@pytest.mark.parametrize(
    ("preferred", "named"),
    [
        ("", "uniform-v1"),
        ("aks-v2", "uniform-v1"),
        ("lame-v1", "lame-v1"),
        ("gone-v1", "uniform-v1"),
        ("never-v1", "uniform-v1"),
    ],
)
def test_the_stable_variant_is_the_preferred_one_if_it_has_a_url(preferred, named):
    assert ROUTES.stable_variant(preferred) == named


def test_a_variant_without_stable_pool_serves_if_there_is_no_other():
    assert Routes({"aks-v2": {"control": ("http://c",)}}).stable_variant() == "aks-v2"
    assert Routes({"aks-v2": {"candidate": ("http://c",)}}).stable_variant() == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "top level"),
        ('{"variants": []}', "top level"),
        ('{"variants": {"a": []}}', "variant a"),
        ('{"variants": {"a": {"stable": "http://x"}}}', "a.stable must be a list"),
        ('{"variants": {"a": {"stable": ["ftp://x"]}}}', "'ftp://x'"),
        ('{"variants": {"a": {"stable": ["http://"]}}}', "'http://'"),
        ('{"variants": {"a": {"stable": ["http://x:99999999"]}}}', "'http://x:99999999'"),
        ('{"variants": {"a": {"stable": ["http://x:port"]}}}', "'http://x:port'"),
        ('{"variants": {"a": {"stable": ["http://[::1"]}}}', "then host and port"),
        ('{"variants": {"a": {"stable": [7]}}}', "a.stable holds 7"),
        ('{"variants": null}', "top level"),
        ("[" * 100_000, "not JSON"),
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


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda path: path.write_text("{"), id="half a file"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe"), id="no text"),
        pytest.param(lambda path: path.write_text("[" * 100_000), id="nested without end"),
        pytest.param(lambda path: path.unlink(), id="removed"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder in its place"),
    ],
)
def test_a_broken_or_lost_file_keeps_the_last_valid_routes_and_says_so(path, break_it):
    table = RouteTable(path)
    table.current(0.0)
    break_it(path)

    assert table.current(1.0).urls("a", Arm.STABLE) == ("http://one",)
    assert table.problem


def test_a_file_that_comes_later_is_read(tmp_path):
    table = RouteTable(tmp_path / "routes.json")
    assert not table.current(0.0).having_urls()
    (tmp_path / "routes.json").write_text(json.dumps({"variants": {"a": {"stable": ["http://one"]}}}))

    assert table.current(1.0).having_urls()


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


def test_a_broken_file_is_complained_of_once_and_its_repair_is_noticed(path, caplog):
    table = RouteTable(path)
    path.write_text("{")
    for look in range(5):
        table.current(look * LOOK_SECONDS)
    path.write_text(json.dumps({"variants": {"a": {"stable": ["http://two"]}}}))

    assert table.current(9.0).urls("a", Arm.STABLE) == ("http://two",)
    assert table.problem == ""
    assert caplog.text.count("keeping the last valid routes") == 1


def test_the_file_is_looked_at_no_more_often_than_it_can_change(path):
    table = RouteTable(path)
    table.current(0.0)
    path.unlink()

    assert table.current(LOOK_SECONDS / 2).having_urls()
    assert table.problem == "", "nobody has looked yet"


def test_a_url_in_use_twice_is_idle_only_when_both_calls_have_ended(path):
    table = RouteTable(path)
    for _ in range(2):
        table.begin("http://a")
    table.end("http://a")

    assert table.pick(("http://a", "http://b"), 0.0) == "http://b"
    assert table.pick(("http://a", "http://b"), 0.0) == "http://b"


def test_a_call_that_ends_after_its_url_was_forgotten_is_no_fault(path):
    table = RouteTable(path)
    table.begin("http://a")
    table.end("http://a")
    table.end("http://a")

    assert {table.pick(("http://a", "http://b"), 0.0) for _ in range(4)} == {"http://a", "http://b"}


def test_when_every_url_refused_lately_the_one_with_the_fewest_calls_is_asked(path):
    table = RouteTable(path)
    table.refused("http://a", 0.0)
    table.refused("http://b", 0.1)
    table.begin("http://a")

    assert {table.pick(("http://a", "http://b"), 0.2) for _ in range(4)} == {"http://b"}
