"""A variant that fails: its user is answered by stable, and it is counted."""

import pytest

from pitwall_gateway.flags.port import FixedFlags
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.serve.settings import Rules

CANDIDATE = {"sampler_variant": "aks-v2", "arm": "candidate"}
PATIENT = Rules(breaker=BreakerRule(failures=1_000), limits=CallLimits(answer_seconds=2))
NERVOUS = Rules(breaker=BreakerRule(failures=2, open_seconds=60))
FORGIVING = Rules(breaker=BreakerRule(failures=2, open_seconds=0.4))


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param({"status": 500, "words": "boom"}, "status", id="server-error"),
        pytest.param({"status": 429, "words": "busy"}, "status", id="overloaded"),
        pytest.param({"status": 204}, "malformed", id="no-completion"),
        pytest.param({"hangs": True}, "timeout", id="hangs"),
        pytest.param({"status": 400, "words": "no"}, "refused", id="refuses-what-stable-answers"),
    ],
)
def test_a_failing_candidate_falls_back_to_stable_and_counts_once_against_it(pit, duel, behaviour, reason):
    duel("candidate", rules=PATIENT, **behaviour)

    answer = pit.ask("ann")

    assert answer.status_code == 200
    assert answer.json()["pitwall"]["sampler_variant"] == "uniform-v1"
    assert answer.headers["x-pitwall-fallback"] == reason
    assert (answer.headers["x-pitwall-variant"], answer.headers["x-pitwall-arm"]) == ("uniform-v1", "stable")
    assert pit.metric("pitwall_queries_total", **CANDIDATE, outcome="error") == 1
    assert pit.metric("pitwall_queries_total") == 1
    assert pit.metric("pitwall_query_latency_seconds_count", **CANDIDATE) == 1
    assert pit.metric("pitwall_query_latency_seconds_count") == 1
    assert pit.metric("pitwall_fallbacks_total", **CANDIDATE, reason=reason) == 1


def test_the_user_of_a_fallback_counts_for_quality_on_the_candidate(pit, duel):
    duel("candidate", status=500)
    answer_id = pit.ask("ann").headers["x-pitwall-answer-id"]

    pit.feedback(answer_id=answer_id, session="ann", thumbs="down")

    assert pit.metric("pitwall_quality_total", **CANDIDATE, unit="query", outcome="bad") == 1


def test_a_killed_candidate_falls_back(pit, duel):
    _, candidate = duel("candidate")
    pit.ask("ann")
    candidate.server.stop()

    answer = pit.ask("ann")

    assert answer.headers["x-pitwall-fallback"] == "unreachable"
    assert pit.metric("pitwall_queries_total", **CANDIDATE, outcome="error") == 1


def test_a_candidate_without_a_route_falls_back(pit):
    stable = pit.runtime("uniform-v1")
    pit.route({"uniform-v1": {"stable": [stable.url]}})
    pit.open(FixedFlags({"sampler.variant": ("candidate", "aks-v2")}))

    assert pit.ask("ann").headers["x-pitwall-fallback"] == "unrouted"


def test_what_stable_refuses_too_is_the_questions_fault_and_told_in_stables_words(pit, duel):
    """A candidate's own words, which whoever made its image wrote, would tell the arm."""
    stable, _ = duel("candidate", status=404, words="sampler aks-v2 at 10.0.7.12 says no", code="media_missing")
    stable.status, stable.words, stable.code = 404, "there is no such file; check the address", "media_missing"

    answer = pit.ask("ann")

    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == stable.words
    assert pit.metric("pitwall_queries_total") == 0
    assert pit.metric("pitwall_refusals_total", **CANDIDATE, reason="404") == 1


def test_where_stable_fails_a_candidates_refusal_is_told_in_our_own_words(pit, duel, caplog):
    caplog.set_level("INFO")
    stable, _ = duel("candidate", shows=False, status=404, words="the new sampler says no", code="media_missing")
    stable.server.stop()

    answer = pit.ask("ann")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "media_missing")
    assert answer.json()["error"]["message"] == "there is no video at this address; check it"
    (said,) = [one.fields for one in caplog.records if hasattr(one, "fields") and "refused" in one.getMessage()]
    assert said["cause"] == "404 media_missing: the new sampler says no"
    assert said["answer_id"] == answer.headers["x-pitwall-answer-id"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param("the file is a web page", "not_a_video", "the file is a web page", id="of the caller's own file"),
        pytest.param("uniform-v1 says no", "not_a_video", "what is at the address is no video", id="of a variant"),
        pytest.param("no way to redis:6379", "not_a_video", "what is at the address is no video", id="of an address"),
        pytest.param("the file is a web page", "y", "the question was refused (415)", id="of no code of ours"),
    ],
)
def test_stables_refusal_is_told_in_its_words_where_they_are_of_the_request_alone(pit, duel, words, code, message):
    stable, _ = duel("stable", shows=False)
    stable.status, stable.words, stable.code = 415, words, code

    answer = pit.ask("ann")

    assert answer.status_code == 415
    assert answer.json()["error"]["message"].startswith(message)


def test_when_stable_is_dead_too_the_error_is_clear_and_shows_on_the_assigned(pit, duel, caplog):
    stable, _ = duel("candidate", status=500, words="out of memory")
    stable.server.stop()

    answer = pit.ask("ann")

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "failed"
    assert "out of memory" not in answer.text
    (said,) = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert "out of memory" in said["cause"]
    assert said["answer_id"] == answer.headers["x-pitwall-answer-id"]
    assert "retry-after" in answer.headers
    assert pit.metric("pitwall_queries_total", **CANDIDATE, outcome="error") == 1
    assert pit.metric("pitwall_query_latency_seconds_count") == 0


def test_a_killed_only_runtime_is_named_in_the_log_alone(pit, duel, caplog):
    stable, _ = duel("stable")
    stable.server.stop()

    answer = pit.ask("ann")

    assert answer.status_code == 502
    (said,) = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert f"uniform-v1 cannot be reached at {stable.url}" in said["cause"]
    assert not {"127.0.0.1", "uniform-v1"} & set(answer.text.split())


def test_a_hanging_stable_is_given_up_with_the_limit(pit, duel, caplog):
    stable, _ = duel("stable", rules=PATIENT)
    stable.hangs = True

    answer = pit.ask("ann")

    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "timeout"
    (said,) = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert "the limit is 1." in said["cause"]  # seconds; what the request took before is gone from them


def test_one_dead_url_of_a_pool_costs_no_answer(pit):
    dead, alive = pit.runtime("uniform-v1"), pit.runtime("uniform-v1")
    pit.route({"uniform-v1": {"stable": [dead.url, alive.url]}})
    pit.open(FixedFlags({"sampler.variant": ("stable", "uniform-v1")}))
    dead.server.stop()

    assert {pit.ask("ann").status_code for _ in range(6)} == {200}
    assert len(alive.seen) == 6


def test_a_tripped_candidate_is_left_alone_and_every_query_counts_once(pit, duel):
    _, candidate = duel("candidate", rules=NERVOUS, status=500)

    reasons = [pit.ask("ann").headers["x-pitwall-fallback"] for _ in range(4)]

    assert reasons == ["status", "status", "circuit-open", "circuit-open"]
    assert len(candidate.seen) == 2
    assert pit.metric("pitwall_queries_total", **CANDIDATE, outcome="error") == 4


def test_a_candidate_that_recovers_gets_its_users_back(pit, duel):
    _, candidate = duel("candidate", rules=FORGIVING, status=500)
    for _ in range(3):
        pit.ask("ann")
    candidate.status = 200

    pit.until(lambda: "x-pitwall-fallback" not in pit.ask("ann").headers, "the trial")

    assert pit.ask("ann").headers["x-pitwall-variant"] == "aks-v2"


def test_a_candidate_that_hangs_cannot_take_more_than_its_share_of_calls(pit, duel):
    rules = Rules(limits=CallLimits(answer_seconds=20, in_flight=1))
    _, candidate = duel("candidate", rules=rules, hangs=True)
    with pit.in_background(lambda: pit.ask("ann")) as first:
        pit.until(lambda: candidate.seen, "the first question to arrive")
        second = pit.ask("bob")
        candidate.release.set()

    assert second.headers["x-pitwall-fallback"] == "saturated"
    assert first.result().headers["x-pitwall-variant"] == "aks-v2"
