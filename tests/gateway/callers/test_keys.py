"""API keys: known by their digests, changed without a restart, and a broken file locks nobody out."""

import json
import os

import pytest

from pitwall_gateway.callers.keys import LOOK_SECONDS, Callers
from pitwall_gateway.callers.rule import CallerLimits
from pitwall_gateway.values.errors import CallersError

KEY, OTHER = "k" * 40, "o" * 40


class Looks:
    now = 0.0

    def __call__(self) -> float:
        self.now += LOOK_SECONDS + 0.1
        return self.now


@pytest.fixture
def known(callers_file):
    def build(**callers):
        return Callers(callers_file(**callers), CallerLimits(requests_per_second=5), Looks())

    return build


def test_a_caller_is_known_by_any_of_its_keys_and_by_no_other(known):
    callers = known(web={"keys": [KEY, OTHER]}, app={"keys": ["a" * 40]})

    assert [callers.caller_of(key) for key in (KEY, OTHER, "a" * 40)] == ["web", "web", "app"]
    assert [callers.caller_of(key) for key in ("", KEY + "x", "web", "\udcff")] == ["", "", "", ""]


def test_the_file_holds_no_key(known, callers_file):
    known(web={"keys": [KEY]})

    assert KEY not in callers_file(web={"keys": [KEY]}).read_text()


def test_limits_that_are_not_said_are_the_defaults(known):
    callers = known(web={"keys": [KEY], "questionsPerDay": 7, "share": 0.25})

    assert callers.limits_of("web") == CallerLimits(requests_per_second=5, questions_per_day=7, share=0.25)
    assert callers.limits_of("a token's caller") == CallerLimits(requests_per_second=5)


def test_a_key_is_taken_away_and_another_given_while_the_gateway_runs(known, callers_file):
    callers = known(web={"keys": [KEY]})
    callers_file(web={"keys": [OTHER]})
    os.utime(callers_file(web={"keys": [OTHER]}), ns=(1, 1))

    assert (callers.caller_of(KEY), callers.caller_of(OTHER)) == ("", "web")


@pytest.mark.parametrize("damage", ["{", "", '{"callers": 7}', None])
def test_a_file_that_breaks_or_goes_keeps_the_last_callers_and_is_told_once(known, callers_file, caplog, damage):
    callers = known(web={"keys": [KEY]})
    path = callers_file(web={"keys": [KEY]})
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage)

    assert [callers.caller_of(KEY) for _ in range(3)] == ["web"] * 3
    assert caplog.text.count("keeping the last callers") == 1


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param([], "the file", id="a list"),
        pytest.param({"callers": [{"name": "web", "keys": ["secret"]}]}, "callers.0.keys.0", id="a key in the clear"),
        pytest.param({"callers": [{"name": "a\nb"}]}, "callers.0.name", id="a name with a line end"),
        pytest.param({"callers": [{"name": "web", "limit": 1}]}, "callers.0.limit", id="an unknown field"),
        pytest.param({"callers": [{"name": "web", "share": 2}]}, "callers.0.share", id="more than everything"),
        pytest.param({"callers": [{"name": "web"}, {"name": "web"}]}, "caller web stands there twice", id="two alike"),
        pytest.param(
            {"callers": [{"name": name, "keys": ["sha256:" + "0" * 64]} for name in ("web", "app")]},
            "stands there twice",
            id="one key for two",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path, document, words):
    path = tmp_path / "callers.json"
    path.write_text(json.dumps(document))

    with pytest.raises(CallersError, match=words):
        Callers(path, CallerLimits())
