"""The gateway's command line: what is read, and what is refused before anything starts."""

from pathlib import Path

import pytest

from pitwall_gateway.__main__ import main
from pitwall_gateway.callers.rule import VideoAccess
from pitwall_gateway.counting.users.shares import EVEN, FEWEST, USER_SHARE, ShareRule
from pitwall_gateway.serve.settings import read_settings

NEEDED = ("--port", "0", "--routes", "routes.json", "--state-dir", "state", "--callers", "callers.json")


def test_what_is_not_said_has_its_default():
    settings = read_settings(NEEDED)

    assert (settings.host, settings.flag, settings.flags_sync, settings.endpoints) == (
        "127.0.0.1", "sampler.variant", "", "",
    )  # fmt: skip
    assert (settings.routes, settings.state_dir) == (Path("routes.json"), Path("state"))
    assert settings.rules.ledger.keep_seconds >= settings.rules.ledger.window_seconds


def test_every_bound_reaches_its_rule():
    settings = read_settings(
        (*NEEDED, "--max-body-bytes", "1", "--answer-seconds", "2", "--breaker-failures", "3", "--shadow-queue", "4",
         "--shadow-concurrency", "5", "--follow-up-seconds", "6", "--user-seconds", "7", "--grace-seconds", "8",
         "--endpoints", "video-qa")
    )  # fmt: skip
    rules = settings.rules

    assert (rules.body.largest_bytes, rules.limits.answer_seconds, rules.breaker.failures) == (1, 2.0, 3)
    assert (rules.shadow.queue, rules.shadow.concurrency) == (4, 5)
    assert (rules.ledger.window_seconds, rules.ledger.user_seconds) == (6.0, 7.0)
    assert (settings.grace_seconds, settings.endpoints) == (8.0, "video-qa")


def test_who_is_asked_for_credentials_has_shares_and_few_users_have_larger_ones():
    assert read_settings(NEEDED).rules.shares == ShareRule(USER_SHARE, even=EVEN, fewest=FEWEST)


@pytest.mark.parametrize(
    ("follow_up", "user", "keep"),
    [
        pytest.param("1", "1", 3600, id="an hour at least"),
        pytest.param("7200", "1", 36_000, id="a session's window"),
        pytest.param("1", "86400", 86_400, id="a user's window"),
    ],
)
def test_answers_are_remembered_for_as_long_as_labels_may_come(follow_up, user, keep):
    settings = read_settings((*NEEDED, "--follow-up-seconds", follow_up, "--user-seconds", user))

    assert settings.rules.ledger.keep_seconds == keep


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        pytest.param("--port", "65536", "it must be 0 to 65535", id="a port above the last"),
        pytest.param("--port", "-1", "it must be 0 to 65535", id="a port below the first"),
        pytest.param("--port", "http", "invalid", id="a port by name"),
        pytest.param("--answer-seconds", "0", "more than 0", id="no time at all"),
        pytest.param("--answer-seconds", "-5", "more than 0", id="time backwards"),
        pytest.param("--answer-seconds", "86401", "at most 86400", id="more than a day"),
        pytest.param("--answer-seconds", "nan", "more than 0", id="a time that is no number"),
        pytest.param("--grace-seconds", "inf", "at most 86400", id="for ever"),
        pytest.param("--max-body-bytes", "0", "at least 1", id="no body at all"),
        pytest.param("--breaker-failures", "-1", "at least 1", id="fewer failures than none"),
        pytest.param("--breaker-failures", "1.5", "invalid", id="half a failure"),
        pytest.param("--flag", "a flag", "can be no Rollout's flag", id="a flag with a blank"),
        pytest.param("--flag", "sampler.variant.shadow", "not the flag of copies", id="a flag of copies"),
        pytest.param("--flag", "x" * 129, "at most 128", id="a flag too long"),
        pytest.param("--endpoints", "Video_QA", "a DNS label of at most 63", id="a namespace with capitals"),
        pytest.param("--endpoints", "a/../../b", "a DNS label", id="a path for a namespace"),
        pytest.param("--endpoints", "x" * 64, "a DNS label", id="a namespace too long"),
        pytest.param("--endpoints", "-x", "expected one argument", id="an option for a namespace"),
    ],
)
def test_a_value_out_of_bounds_ends_with_status_2_the_value_and_the_limit(capsys, option, value, words):
    with pytest.raises(SystemExit) as caught:
        read_settings((*NEEDED, option, value))

    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["--port", "--routes", "--state-dir"])
def test_what_cannot_be_guessed_must_be_said(capsys, missing):
    place = NEEDED.index(missing)
    with pytest.raises(SystemExit):
        read_settings(NEEDED[:place] + NEEDED[place + 2 :])

    assert missing in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--state-dir", "{folder}/file/state"), "gateway: ", id="a state folder inside a file"),
        pytest.param(("--callers", "{folder}/nobody.json"), "nobody.json: No such file", id="callers in no file"),
        pytest.param(("--callers", "{folder}/file"), "callers file", id="callers in an empty file"),
        pytest.param(("--host", "256.1.1.1"), "cannot listen on 256.1.1.1:0", id="an address that is none"),
        pytest.param(("--host", "192.0.2.1"), "cannot listen on 192.0.2.1:0", id="an address of another machine"),
    ],
)
def test_a_gateway_that_cannot_begin_says_so_in_one_line(tmp_path, capsys, arguments, words):
    (tmp_path / "file").write_text("")
    places = [argument.format(folder=tmp_path) for argument in arguments]
    (tmp_path / "callers.json").write_text('{"callers": []}')
    usual = ["--port", "0", "--routes", str(tmp_path / "r.json"), "--state-dir", str(tmp_path / "state")]
    usual += ["--callers", str(tmp_path / "callers.json")]

    status = main([*usual, *places])

    error = capsys.readouterr().err
    assert status == 2
    assert words in error
    assert len(error.splitlines()) == 1


UNSAID = NEEDED[:-2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param((), "nobody could ask: give --callers FILE", id="nothing said of callers"),
        pytest.param(("--no-authentication", "--host", "0.0.0.0"), "is for one machine", id="open to the world"),
        pytest.param(("--no-authentication", "--callers", "c.json"), "lets everybody in", id="open and closed"),
        pytest.param(("--token-keys", "https://idp/jwks"), "--token-issuer and --token-audience", id="any issuer"),
        pytest.param(("--token-keys", "http://idp/jwks"), "by https", id="keys that anybody on the way can change"),
        pytest.param(("--callers", "c.json", "--caller-requests-per-second", "nan"), "0 to 1000000", id="no rate"),
        pytest.param(("--callers", "c.json", "--caller-questions-per-day", "-1"), "0 or more", id="a negative quota"),
    ],
)
def test_who_may_ask_must_be_said_and_must_make_sense(capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        read_settings((*UNSAID, *arguments))

    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_a_loopback_address_everybody_may_be_let_in_and_only_when_asked_for(host):
    rule = read_settings((*UNSAID, "--no-authentication", "--host", host)).rules.callers

    assert rule.is_open
    assert [rule.access(wished) for wished in VideoAccess] == [VideoAccess.SHARED, VideoAccess.SHARED, VideoAccess.OFF]
    assert not read_settings(NEEDED).rules.callers.is_open
    assert [read_settings(NEEDED).rules.callers.access(wished) for wished in VideoAccess] == list(VideoAccess)
    assert not read_settings(NEEDED).shows_assignment
