"""The gateway as its callers see it: real HTTP, real runtimes."""

import json

import openai
import pytest

from pitwall_gateway.feedback.ledger import LedgerRule
from pitwall_gateway.flags.port import FixedFlags
from pitwall_gateway.serve.app import NO_RUNTIME
from pitwall_gateway.serve.http.receive import BodyRule
from pitwall_gateway.serve.settings import Rules

SHORT_WINDOW = Rules(ledger=LedgerRule(window_seconds=2))
SMALL_BODY = Rules(body=BodyRule(largest_bytes=2_000))


@pytest.mark.parametrize(("arm", "variant"), [("stable", "uniform-v1"), ("candidate", "aks-v2")])
def test_an_answer_names_variant_arm_and_answer_id_in_its_headers(pit, duel, arm, variant):
    duel(arm)

    answer = pit.ask("ann")

    assert answer.status_code == 200
    assert answer.json()["pitwall"]["sampler_variant"] == variant
    assert (answer.headers["x-pitwall-variant"], answer.headers["x-pitwall-arm"]) == (variant, arm)
    assert answer.headers["x-pitwall-answer-id"].startswith("ans-")
    assert "x-pitwall-fallback" not in answer.headers


def test_the_runtime_sees_the_question_untouched_and_its_arm_but_no_credentials(pit, duel):
    _, candidate = duel("candidate")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    pit.ask("ann", temperature=0, new_field=[1], headers={"authorization": "Bearer secret", "traceparent": trace})

    assert candidate.seen[0]["new_field"] == [1]
    assert candidate.seen[0]["user"] == "ann"
    assert candidate.headers[0]["x-pitwall-arm"] == "candidate"
    assert candidate.headers[0]["traceparent"] == trace
    assert "authorization" not in candidate.headers[0]


def test_an_answer_is_counted_once_with_its_latency_on_the_assigned_series(pit, duel):
    duel("candidate")

    pit.ask("ann")

    series = {"sampler_variant": "aks-v2", "arm": "candidate"}
    assert pit.metric("pitwall_queries_total", **series, outcome="ok") == 1
    assert pit.metric("pitwall_query_latency_seconds_count", **series) == 1
    assert pit.metric("pitwall_queries_total") == 1
    assert 0 < pit.metric("pitwall_query_latency_seconds_sum") < 5


def test_openai_clients_are_served_streaming_or_not(pit, duel):
    duel("stable")
    client = openai.OpenAI(base_url=pit.url + "/v1", api_key="none")
    messages = [{"role": "user", "content": "when?"}]

    whole = client.chat.completions.create(model="pitwall", messages=messages)
    chunks = list(
        client.chat.completions.create(
            model="pitwall", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    models = [model.id for model in client.models.list()]
    client.close()

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content == "at 12 s, says uniform-v1"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices] == [None, "stop"]
    assert chunks[-1].usage.prompt_tokens == 100
    assert models == ["pitwall"]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        pytest.param(b"{", 400, "not JSON", id="malformed-json"),
        pytest.param(b'{"messages": []}', 400, "messages is an empty list", id="no-messages"),
        pytest.param(b'"' + b"x" * 2_000 + b'"', 413, "2002 bytes, the limit is 2000", id="too-large"),
        pytest.param(b"x" * 40_000, 413, "40000 bytes, the limit is 2000", id="far-too-large"),
    ],
)
def test_a_bad_body_is_refused_in_openai_shape_and_counts_against_nobody(pit, duel, content, status, words):
    duel("candidate", rules=SMALL_BODY)

    answer = pit.client.post(pit.url + "/v1/chat/completions", content=content)

    error = answer.json()["error"]
    assert answer.status_code == status
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"
    assert pit.metric("pitwall_queries_total") == 0
    assert pit.metric("pitwall_refusals_total", reason=str(status)) == 1


def test_a_chunked_body_without_length_is_bounded_too(pit, duel):
    duel("stable", rules=SMALL_BODY)

    answer = pit.client.post(pit.url + "/v1/chat/completions", content=(b"x" * 1_000 for _ in range(3)))

    assert answer.status_code == 413


def test_a_question_of_a_megabyte_gets_the_runtimes_own_words(pit, duel):
    stable, _ = duel("stable")
    stable.status, stable.code = 400, "bad_question"
    stable.words = "the question has 1000000 characters; the limit is 4000"

    answer = pit.ask("ann", messages=[{"role": "user", "content": "x" * 1_000_000}])

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == stable.words
    assert len(stable.seen[0]["messages"][0]["content"]) == 1_000_000


def test_a_question_beyond_the_limit_is_refused_readably(pit, duel):
    duel("stable")

    answer = pit.ask("ann", messages=[{"role": "user", "content": "x" * 1_100_000}])

    assert answer.status_code == 413
    assert "the limit is 1048576" in answer.json()["error"]["message"]


def test_an_unknown_path_is_refused_in_openai_shape(pit, duel):
    duel("stable")

    assert "GET /v1/nothing" in pit.client.get(pit.url + "/v1/nothing").json()["error"]["message"]


def test_ready_means_that_it_is_known_where_runtimes_are(pit):
    pit.open(FixedFlags({}))
    ready = lambda: pit.client.get(pit.url + "/readyz")  # noqa: E731

    unknown = ready()
    pit.route({})
    pit.until(lambda: ready().status_code == 200, "the routes to be read")
    none = ready().json()
    pit.route({"uniform-v1": {"stable": ["http://127.0.0.1:9"]}, "aks-v1": {"candidate": []}})
    pit.until(lambda: ready().json()["variants"], "the new routes")

    assert unknown.status_code == 503
    assert "not known where runtimes are" in unknown.json()["error"]["message"]
    assert (none["variants"], none["detail"]) == (0, NO_RUNTIME)
    assert ready().json() == {"status": "ready", "variants": 1, "detail": ""}
    assert pit.client.get(pit.url + "/healthz").status_code == 200


def test_a_routes_file_that_cannot_be_read_is_no_knowledge(pit):
    pit.routes.write_text("{")
    pit.open(FixedFlags({}))

    answer = pit.client.get(pit.url + "/readyz")

    assert answer.status_code == 503


def test_without_any_route_a_question_gets_a_clear_503(pit):
    pit.open(FixedFlags({}))

    answer = pit.ask("ann")

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"


def test_a_thumb_counts_once_on_the_answers_series(pit, duel):
    duel("candidate")
    answer_id = pit.ask("ann").headers["x-pitwall-answer-id"]

    receipts = [pit.feedback(answer_id=answer_id, session="ann", thumbs="down").json() for _ in range(2)]

    assert receipts == [
        {"counted": ["thumbs"], "already_known": []},
        {"counted": [], "already_known": ["thumbs"]},
    ]
    labels = {"sampler_variant": "aks-v2", "arm": "candidate", "signal": "thumbs_down", "outcome": "bad"}
    assert pit.metric("pitwall_quality_total", **labels, unit="query") == 1
    assert pit.metric("pitwall_quality_total", **labels, unit="session") == 0, "a session is judged at its end"


def test_thumbs_and_task_travel_in_one_body(pit, duel):
    duel("stable")
    answer_id = pit.ask("ann").headers["x-pitwall-answer-id"]

    receipt = pit.feedback(answer_id=answer_id, thumbs="up", session="ann", task="abandoned").json()

    assert receipt["counted"] == ["thumbs", "task"]
    assert pit.metric("pitwall_quality_total", signal="thumbs_down", outcome="good") == 1
    assert pit.metric("pitwall_quality_total", signal="task_abandoned") == 0, "a session is judged at its end"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param({"answer_id": "ans-0", "thumbs": "up"}, 404, "x-pitwall-answer-id header", id="unknown-answer"),
        pytest.param({"session": "bob", "task": "completed"}, 404, "session 'bob'", id="unknown-session"),
        pytest.param({"answer_id": "ans-0", "thumbs": "sideways"}, 400, "thumbs", id="unknown-thumb"),
        pytest.param({"thumbs": "up"}, 400, "answer_id", id="thumb-on-nothing"),
        pytest.param({"task": "completed"}, 400, "session", id="task-of-nobody"),
        pytest.param({"answer_id": "ans-0"}, 400, "at least one", id="no-feedback"),
        pytest.param({"answer_id": "ans-0", "thumbs": "up", "stars": 5}, 400, "stars", id="unknown-field"),
        pytest.param([], 400, "the body", id="a-list"),
    ],
)
def test_feedback_that_cannot_be_counted_says_why(pit, duel, body, status, words):
    duel("stable")

    answer = pit.client.post(pit.url + "/v1/feedback", json=body)

    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert pit.metric("pitwall_quality_total") == 0


def test_follow_ups_and_tasks_are_counted_as_questions_come_or_do_not(pit, duel):
    duel("stable", rules=SHORT_WINDOW)

    pit.ask("ann")
    pit.ask("ann")
    pit.feedback(session="ann", task="abandoned")
    bad = pit.metric("pitwall_quality_total", signal="follow_up", unit="query", outcome="bad")
    pit.until(
        lambda: pit.metric("pitwall_quality_total", signal="follow_up", unit="query", outcome="good") == 1,
        "the window to close",
    )

    assert bad == 1
    pit.until(
        lambda: pit.metric("pitwall_quality_total", signal="follow_up", unit="session", outcome="bad") == 1,
        "the session to be judged",
    )
    assert pit.metric("pitwall_quality_total", signal="follow_up", unit="session", outcome="good") == 0
    assert pit.metric("pitwall_quality_total", signal="task_abandoned", unit="session", outcome="bad") == 1


def test_the_openapi_document_describes_both_bodies(pit, duel):
    duel("stable")

    paths = json.loads(pit.client.get(pit.url + "/openapi.json").text)["paths"]

    for path, required in [("/v1/chat/completions", "messages"), ("/v1/feedback", "thumbs")]:
        schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert required in schema["properties"]
