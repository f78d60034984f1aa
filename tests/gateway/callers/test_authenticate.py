"""Strangers at the gateway, over HTTP: nobody unknown asks or votes, and nobody speaks for another."""

import jwt
import pytest

from pitwall_gateway.callers.rule import CallerRule
from pitwall_gateway.counting.users.shares import ShareRule
from pitwall_gateway.serve.settings import Rules

WEB, APP = "w" * 40, "a" * 40


def bearer(key, **more):
    return {"authorization": f"Bearer {key}", **more}


@pytest.fixture
def guarded(pit, duel, callers_file, issuer):
    """A gateway with two callers by key, and an issuer of tokens, before a candidate that everybody gets."""

    def build(**web):
        file = callers_file(web={"keys": [WEB], **web}, app={"keys": [APP]})
        rules = Rules(callers=CallerRule(file, issuer.rule))
        return duel("candidate", rules=rules, runs={"sampler.variant": "run-1"})

    return build


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"authorization": "Bearer guess"}, id="a guess"),
        pytest.param({"authorization": "Basic d3d3"}, id="another scheme"),
        pytest.param({"x-api-key": "sha256:" + "0" * 64}, id="a digest"),
        pytest.param({"authorization": "Bearer " + jwt.encode({"sub": "ann"}, "k" * 32)}, id="one's own token"),
    ],
)
def test_a_stranger_neither_asks_nor_votes_nor_counts(pit, guarded, headers):
    _, candidate = guarded()

    answers = [pit.ask("ann", headers=headers), pit.feedback(headers, answer_id="ans-1", thumbs="down")]
    answers.append(pit.client.get(pit.url + "/v1/models", headers=headers))

    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert candidate.seen == []
    assert pit.metric("pitwall_evidence_queries_total") == pit.metric("pitwall_evidence_quality_total") == 0


@pytest.mark.parametrize(
    "said",
    [{"thumbs": "down"}, {"task": "abandoned"}, {"thumbs": "down", "task": "abandoned"}],
    ids=["thumbs", "a task", "both"],
)
def test_sixteen_forged_votes_count_nothing(pit, guarded, said):
    """The caller next door learned the answer's id, and the session's name, and votes as often as it likes."""
    guarded()
    answer_id = pit.ask("ann", headers=bearer(WEB)).headers["x-pitwall-answer-id"]

    forged = [pit.feedback(bearer(APP), answer_id=answer_id, session="ann", **said) for _ in range(16)]

    assert {answer.status_code for answer in forged} == {404}
    assert pit.metric("pitwall_quality_total") == 0
    assert pit.feedback(bearer(WEB), answer_id=answer_id, session="ann", thumbs="up").json()["counted"] == ["thumbs"]


def test_a_follow_up_in_anothers_session_is_none(pit, guarded):
    guarded()
    pit.ask("ann", headers=bearer(WEB))
    pit.ask("ann", headers=bearer(APP))

    assert pit.metric("pitwall_quality_total", signal="follow_up", outcome="bad") == 0


def test_refused_questions_are_nobodys_follow_up(pit, guarded):
    stable, candidate = guarded()
    pit.ask("ann", headers=bearer(WEB))
    stable.status = candidate.status = 404
    for _ in range(5):
        assert pit.ask("ann", headers=bearer(WEB)).status_code == 404

    assert pit.metric("pitwall_quality_total", signal="follow_up", outcome="bad") == 0


def test_a_tokens_user_stands_above_the_one_that_is_claimed(pit, guarded, issuer):
    guarded()
    eve = bearer(issuer.token(sub="eve"))
    answer_id = pit.ask("ann", headers=bearer(issuer.token(sub="ann"))).headers["x-pitwall-answer-id"]

    assert pit.ask("ann", headers=eve).status_code == 200
    assert pit.feedback(eve, answer_id=answer_id, session="ann", thumbs="down").status_code == 404
    assert pit.metric("pitwall_quality_total", signal="follow_up", outcome="bad") == 0


def test_an_application_with_a_key_speaks_for_a_user_by_the_users_own_token(pit, guarded, issuer):
    guarded()
    ann = bearer(WEB, **{"x-pitwall-identity": issuer.token(sub="ann", azp="elsewhere")})
    answer_id = pit.ask("eve", headers=ann).headers["x-pitwall-answer-id"]

    assert pit.feedback(bearer(WEB), answer_id=answer_id, session="ann", thumbs="down").status_code == 404
    assert pit.feedback(ann, answer_id=answer_id, thumbs="up").json()["counted"] == ["thumbs"]
    assert pit.ask("eve", headers=bearer(WEB, **{"x-pitwall-identity": "forged"})).status_code == 401


def test_no_credential_reaches_a_runtime(pit, guarded, issuer):
    _, candidate = guarded()
    token = issuer.token()
    pit.ask("ann", headers=bearer(WEB, **{"x-pitwall-identity": token, "x-api-key": WEB}))

    assert WEB not in str(candidate.headers)
    assert token not in str(candidate.headers)


def test_a_caller_above_its_quota_is_told_when_to_come_back(pit, guarded):
    _, candidate = guarded(questionsPerDay=1)
    pit.ask("ann", headers=bearer(WEB))

    refused = pit.ask("ann", headers=bearer(WEB))

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert pit.ask("ann", headers=bearer(APP)).status_code == 200
    assert len(candidate.seen) == 2


def test_by_default_nothing_tells_a_caller_which_arm_answered(pit, callers_file, split_flags):
    candidate = pit.runtime("aks-v2")
    pit.route({"uniform-v1": {"stable": []}, "aks-v2": {"candidate": [candidate.url]}})
    flags = split_flags({"sampler.variant": ("candidate", "aks-v2")}, {"sampler.variant": "salt-of-the-run"})
    rules = Rules(callers=CallerRule(callers_file(web={"keys": [WEB]})))
    pit.open(flags, rules, shows_assignment=False)

    shown = [pit.ask("ann", headers=bearer(WEB)), pit.ask("ann", headers=bearer(WEB), stream=True)]
    shown.append(pit.client.get(pit.url + "/v1/models", headers=bearer(WEB)))
    shown += [pit.client.get(pit.url + path) for path in ("/metrics", "/healthz", "/openapi.json")]
    candidate.server.stop()
    shown.append(pit.ask("ann", headers=bearer(WEB)))

    assert [answer.status_code for answer in shown] == [200, 200, 200, 404, 200, 200, 502]
    seen = "".join(f"{answer.headers} {answer.text.replace('says aks-v2', '')}" for answer in shown)
    assert [name for name in ("aks-v2", "salt-of-the-run", "x-pitwall-arm", '"candidate"') if name in seen] == []


def test_one_user_who_votes_all_day_cannot_carry_a_bad_variant_on(pit, duel, callers_file):
    """A variant was voted from 1 % to 50 % by whoever asked and voted most."""
    rules = Rules(callers=CallerRule(callers_file(web={"keys": [WEB]})), shares=ShareRule(user=0.05))
    duel("candidate", rules=rules, runs={"sampler.variant": "run-1"})
    for number in range(60):
        user = "loud" if number % 2 else f"user-{number}"
        answer_id = pit.ask(user, headers=bearer(WEB)).headers["x-pitwall-answer-id"]
        thumbs = "up" if user == "loud" else "down"
        pit.feedback(bearer(WEB), answer_id=answer_id, session=user, thumbs=thumbs)

    votes = {"signal": "thumbs_down", "unit": "query", "run": "run-1"}
    assert pit.metric("pitwall_evidence_quality_total", **votes, outcome="bad") == 30
    assert pit.metric("pitwall_evidence_quality_total", **votes, outcome="good") == 3
    # Of its first ten those that are slower than the others' count up to a bound, which is chance on a busy machine.
    assert 30 + 3 <= pit.metric("pitwall_evidence_queries_total", run="run-1") <= 30 + 10
    assert pit.metric("pitwall_capped_trials_total", reason="user") >= 20
    assert pit.metric("pitwall_quality_total", signal="thumbs_down", unit="query", outcome="good") == 30


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"host": "evil.example:18123"}, id="a name that was made to lead here"),
        pytest.param({"origin": "http://evil.example"}, id="a page of another site"),
        pytest.param({"origin": "null"}, id="a page of nowhere"),
        pytest.param({"host": "127.0.0.1.evil.example"}, id="a name that looks like an address"),
        pytest.param({"origin": "http://[::1"}, id="no address"),
    ],
)
def test_where_nobody_says_who_they_are_pages_of_other_sites_neither_ask_nor_vote(pit, duel, headers):
    _, candidate = duel("candidate")

    answers = [pit.ask("ann", headers=headers), pit.feedback(headers, session="ann", task="abandoned")]

    assert {answer.status_code for answer in answers} == {403}
    assert "to this machine alone" in answers[0].json()["error"]["message"]
    assert candidate.seen == []


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:5173", "http://a.localhost"]
)
def test_pages_of_this_machine_may(pit, duel, origin):
    duel("candidate")

    assert pit.ask("ann", headers={"origin": origin}).status_code == 200
