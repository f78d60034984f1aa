"""Feedback bodies: what is refused counts nothing, and what was counted reaches the metrics."""

import asyncio

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.counting.telemetry import ArmSeries, GatewayTelemetry
from pitwall_gateway.feedback.feedback import Feedback, FeedbackBody, read_feedback
from pitwall_gateway.feedback.ledger import Ledger, LedgerRule
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.speaker import LOCAL, Speaker

CANDIDATE = ArmSeries("aks-v2", Arm.CANDIDATE)


class Desk:
    """Feedback with the metrics that it writes."""

    def __init__(self, window_seconds: float = 60.0) -> None:
        self.telemetry = GatewayTelemetry()
        self.feedback = Feedback(Ledger(LedgerRule(window_seconds=window_seconds)), self.telemetry)
        self.ids = {}

    def answer(self, session: str, speaker: Speaker = LOCAL) -> str:
        """Somebody gets an answer in this session; its id."""
        question = Question(b"", session, session, session, speaker)
        answer_id = self.feedback.new_answer(question)
        self.feedback.answered(answer_id, question, CANDIDATE)
        return answer_id

    def counted(self) -> list[str]:
        lines = self.telemetry.text().decode().splitlines()
        return [line for line in lines if line.startswith("pitwall_quality_total{")]

    def take(self, speaker: Speaker = LOCAL, **fields: str):
        fields["answer_id"] = self.ids.get(fields.get("answer_id", ""), fields.get("answer_id", ""))
        return self.feedback.take(FeedbackBody.model_validate(fields), speaker)


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.ids = {"ans-1": desk.answer("ann"), "ans-2": desk.answer("bob")}
    return desk


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"answer_id": "ans-9", "thumbs": "up"}, "unknown_answer_id", id="an answer nobody got"),
        pytest.param({"session": "eve", "task": "completed"}, "unknown_session", id="a session nobody has"),
        pytest.param(
            {"answer_id": "ans-1", "thumbs": "down", "session": "eve", "task": "abandoned"},
            "unknown_session",
            id="a known answer beside an unknown session",
        ),
        pytest.param(
            {"answer_id": "ans-9", "thumbs": "down", "session": "ann", "task": "abandoned"},
            "unknown_answer_id",
            id="a known session beside an unknown answer",
        ),
    ],
)
def test_what_is_partly_unknown_is_refused_whole(desk, fields, code):
    with pytest.raises(RequestRefusedError) as caught:
        desk.take(**fields)

    assert (caught.value.status, caught.value.code) == (404, code)
    assert desk.counted() == []


def test_a_hostile_name_is_shown_short_and_escaped(desk):
    with pytest.raises(RequestRefusedError) as caught:
        desk.take(session="\x1b[31m" + "x" * 200, task="completed")

    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 400


def test_the_task_of_a_session_may_come_before_between_and_after_its_thumbs(desk):
    first = desk.take(session="ann", task="abandoned")
    both = desk.take(answer_id="ans-1", thumbs="down", session="ann", task="completed")
    last = desk.take(answer_id="ans-1", thumbs="up", session="ann", task="completed")

    assert (first.counted, first.already_known) == (("task",), ())
    assert (both.counted, both.already_known) == (("thumbs",), ("task",))
    assert (last.counted, last.already_known) == ((), ("thumbs", "task"))
    assert [line.split()[-1] for line in desk.counted()] == ["1.0"], "the thumb; the task when its session is judged"


@pytest.mark.parametrize(
    ("speaker", "session"),
    [
        pytest.param(LOCAL, "ann", id="in another session"),
        pytest.param(LOCAL, "", id="in no session"),
        pytest.param(Speaker("other-app"), "bob", id="as another application"),
        pytest.param(Speaker("local", user="bob"), "bob", id="as a vouched user of the same name"),
    ],
)
def test_nobody_says_what_another_thinks_of_an_answer(desk, speaker, session):
    with pytest.raises(RequestRefusedError) as caught:
        desk.take(speaker, answer_id="ans-2", thumbs="down", session=session)

    assert (caught.value.status, desk.counted()) == (404, [])


def test_an_answer_that_names_nobody_is_still_the_callers_who_got_it(desk):
    answer_id = desk.answer("", Speaker("web"))
    with pytest.raises(RequestRefusedError) as caught:
        desk.take(Speaker("app"), answer_id=answer_id, thumbs="down")
    assert (caught.value.status, desk.counted()) == (404, [])

    assert desk.take(Speaker("web"), answer_id=answer_id, thumbs="down").counted == ("thumbs",)


@pytest.mark.parametrize("speaker", [Speaker("other-app"), Speaker("local", user="eve")])
def test_nobody_ends_anothers_task(desk, speaker):
    with pytest.raises(RequestRefusedError) as caught:
        desk.take(speaker, session="ann", task="abandoned")

    assert (caught.value.status, desk.counted()) == (404, [])


def test_a_vouched_user_needs_to_name_no_session(desk):
    ann = Speaker("app", user="ann")
    answer_id = desk.answer("ann", ann)

    assert desk.take(ann, answer_id=answer_id, thumbs="up").counted == ("thumbs",)


def test_the_session_of_a_token_stands_above_the_one_that_is_claimed(desk):
    ann = Speaker("app", user="ann", session="s-1")
    answer_id = desk.answer("s-1", ann)

    assert desk.take(ann, answer_id=answer_id, thumbs="up", session="s-2").counted == ("thumbs",)


def test_a_question_without_a_session_is_nobodys_follow_up(desk):
    desk.feedback.asked("")

    assert desk.counted() == []


async def test_windows_are_closed_in_the_background_until_the_gateway_ends():
    desk = Desk(window_seconds=0.05)
    desk.feedback.start()
    desk.answer("ann")
    async with asyncio.timeout(60):
        while not desk.counted():  # noqa: ASYNC110 - metrics have no event
            await asyncio.sleep(0.01)
    await desk.feedback.close()

    assert all('outcome="good"' in line for line in desk.counted())


async def test_windows_are_closed_after_a_sweep_that_broke(monkeypatch, caplog):
    desk, sweep, broken = Desk(window_seconds=0.05), Ledger.sweep, []

    def breaks_once(ledger, now):
        if not broken:
            broken.append(1)
            raise KeyError("nobody thought of it")
        return sweep(ledger, now)

    monkeypatch.setattr(Ledger, "sweep", breaks_once)
    desk.feedback.start()
    desk.answer("ann")
    async with asyncio.timeout(60):
        while not desk.counted():  # noqa: ASYNC110 - metrics have no event
            await asyncio.sleep(0.01)
    await desk.feedback.close()

    assert broken
    assert "the sweep of windows broke; it is begun again" in caplog.text


async def test_what_was_never_started_is_closed_without_a_word(caplog):
    desk = Desk()
    await desk.feedback.close()

    assert (desk.counted(), caplog.text) == ([], "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "the body", id="nothing"),
        pytest.param(b"{", "the body", id="half a body"),
        pytest.param(b"\xff\xfe", "the body", id="no text"),
        pytest.param(b"[" * 50_000, "the body", id="nested without end"),
        pytest.param(b'{"answer_id": 7, "thumbs": "up"}', "answer_id", id="a number for an id"),
        pytest.param(b'{"answer_id": "' + b"x" * 257 + b'", "thumbs": "up"}', "answer_id", id="an id too long"),
        pytest.param(b'{"session": "' + b"x" * 257 + b'", "task": "completed"}', "session", id="a session too long"),
        pytest.param(b'{"session": "ann", "task": "done"}', "task", id="an end that is none"),
        pytest.param(b'{"answer_id": "a", "thumbs": "up", "arm": "candidate"}', "arm", id="choosing one's own arm"),
        pytest.param(
            b'{"answer_id": "a", "thumbs": "sideways"}', 'thumbs is "sideways": Input should be', id="no thumb"
        ),
        pytest.param(b'{"task": "completed"}', "the body: task needs session", id="whose task"),
        pytest.param(b'{"answer_id": "", "thumbs": "down"}', "the body: thumbs need answer_id", id="an empty id"),
    ],
)
def test_a_body_that_is_no_feedback_names_what_is_wrong(body, words):
    with pytest.raises(RequestRefusedError) as caught:
        read_feedback(body)

    assert caught.value.status == 400
    assert caught.value.message.startswith(words)


def test_the_longest_names_are_taken():
    body = read_feedback(b'{"answer_id": "' + b"x" * 256 + b'", "thumbs": "up"}')

    assert len(body.answer_id) == 256
