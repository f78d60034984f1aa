"""Moments are grouped within shots and told with times; an OpenAI-compatible server gets the frames as pictures."""

import base64
import http.server
import io
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pitwall_crds.variant.variant import AnswerSpec
from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.stages.answer.catalogue import build
from pitwall_runtime.stages.answer.moments import MomentsEngine, group
from pitwall_runtime.stages.answer.port import Brief, Evidence


def frame(seconds, score, *, shot=0, labels=("bow", "hare", "nut")):
    return Evidence(int(seconds), float(seconds), seconds + 1.0, shot, score, labels)


def brief(*evidence, tokens_per_frame=16):
    return Brief(
        "a bow", evidence, group(evidence), lambda: [jpeg(640, 360)] * len(evidence), [tokens_per_frame] * len(evidence)
    )


def jpeg(width, height):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(buffer, "JPEG")
    return buffer.getvalue()


def test_neighbours_in_a_shot_are_one_moment_told_by_its_best_frame():
    moments = group([frame(10, 0.2, labels=("hare",)), frame(12, 0.6), frame(40, 0.3)])
    assert [(m.start_seconds, m.end_seconds, m.pts_seconds, m.score) for m in moments] == [
        (10, 13, 12, 0.6),
        (40, 41, 40, 0.3),
    ]
    assert moments[0].label == "bow, hare"


def test_a_cut_or_a_long_gap_parts_moments():
    assert len(group([frame(10, 0.2, shot=0), frame(11, 0.2, shot=11)])) == 2
    assert len(group([frame(10, 0.2), frame(15, 0.2)])) == 2
    assert len(group([frame(10, 0.2), frame(14, 0.2)])) == 1


def test_the_answer_gives_times_and_labels_best_first():
    answer = MomentsEngine().answer(brief(frame(187, 0.1), frame(316, 0.9), frame(445, 0.5), frame(500, 0.05)))
    assert answer.text == ("Best match at 5:16–5:17 (bow, hare). Also at 7:25–7:26 (bow, hare); 3:07–3:08 (bow, hare).")
    assert [moment.score for moment in answer.moments] == [0.9, 0.5, 0.1, 0.05]


def test_no_frames_no_answer_but_words():
    assert MomentsEngine().answer(brief()).text == "Nothing was found in this video."


class Model(http.server.BaseHTTPRequestHandler):
    """A chat completion server that answers by path and keeps what it was sent."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        reply = {"choices": [{"message": {"content": "At 0:10."}}], "usage": {"completion_tokens": 4}}
        if self.path in getattr(self.server, "replies", {}):
            self._send(*self.server.replies[self.path])
            return
        match self.path:
            case "/v1/chat/completions":
                self._send(200, json.dumps(reply))
            case "/broken/chat/completions":
                self._send(200, "<html>hello</html>")
            case "/other/chat/completions":
                self._send(200, '{"choices": []}')
            case _:
                self._send(404, '{"error": "model qwen not found"}')

    def _send(self, status, text):
        self.send_response(status)
        if packing := getattr(self.server, "packing", ""):
            self.send_header("Content-Encoding", packing)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def model():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.asked = []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def engine(model, path="/v1"):
    address = f"http://127.0.0.1:{model.server_port}{path}"
    return build(AnswerSpec(engine="openai", endpoint_url=address, model="qwen", max_tokens=50), Path("unused"))


def test_the_server_sees_times_pictures_within_their_tokens_and_the_question(model):
    answer = engine(model).answer(brief(frame(10, 0.5), frame(75, 0.4), tokens_per_frame=16))
    assert (answer.text, answer.completion_tokens) == ("At 0:10.", 4)
    assert len(answer.moments) == 2
    (asked,) = model.asked
    parts = asked["messages"][0]["content"]
    assert (asked["model"], asked["max_tokens"]) == ("qwen", 50)
    assert [part["text"] for part in parts if part["type"] == "text"][:2] == ["[0:10]", "[1:15]"]
    assert parts[-1]["text"].endswith("a bow")
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    picture = Image.open(io.BytesIO(base64.b64decode(urls[0].removeprefix("data:image/jpeg;base64,"))))
    assert picture.width * picture.height <= 16 * 28 * 28
    assert picture.width / picture.height == pytest.approx(16 / 9, rel=0.05)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("/gone", "404.*model qwen not found.*check answer.model", id="refused"),
        pytest.param("/broken", "sent no chat completion", id="not-json"),
        pytest.param("/other", "sent no chat completion", id="no-choice"),
    ],
)
def test_a_bad_server_is_named_with_its_reason(model, path, words):
    with pytest.raises(UnavailableError, match=words):
        engine(model, path).answer(brief(frame(10, 0.5)))


def test_a_server_that_says_more_than_an_answer_may_have_is_named_with_the_limit(model):
    model.replies = {"/odd/chat/completions": (200, json.dumps({"choices": [{"message": {"content": "x" * 530_000}}]}))}
    with pytest.raises(
        UnavailableError, match=r"more than the limit of 524288 bytes, or .* make answer.maxTokens less"
    ):
        engine(model, "/odd").answer(brief(frame(10, 0.5)))


@pytest.fixture
def sender():
    """A server that sends the same again and again until its client leaves, and how often it did."""
    sent, open_sockets = [], []

    def start(head, piece):
        def serve():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(head)
                    while True:
                        connection.sendall(piece)
                        sent.append(piece)

        listener = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listener)
        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

    start.sent = sent
    yield start
    for one in open_sockets:
        one.close()


@pytest.mark.parametrize(
    ("head", "piece", "words"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"1\r\n \r\n",
            "or its answer in crumbs",
            id="chunks",
        ),
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", "more around its answer", id="hints"),
    ],
)
def test_a_server_that_sends_crumbs_without_end_is_left_long_before_the_deadline(sender, head, piece, words):
    """Each is looked at while nothing else of the process is."""
    url = sender(head, piece)
    spent = time.thread_time()

    with pytest.raises(UnavailableError, match=words):
        build(AnswerSpec(engine="openai", endpoint_url=url, model="m"), Path("unused")).answer(
            replace(brief(frame(10, 0.5)), deadline=Deadline(8))
        )

    assert time.thread_time() - spent < 2


def test_a_server_that_packs_what_it_says_is_named_and_nothing_is_unpacked(model):
    model.packing = "gzip, gzip"
    with pytest.raises(UnavailableError, match="packs what it says as 'gzip, gzip', which nobody asked for"):
        engine(model).answer(brief(frame(10, 0.5)))


@pytest.mark.parametrize("reply", ["[" * 400_000, '{"a":' * 90_000, "[" + "[]," * 130_000 + "0]", "[" * 20_000])
def test_a_server_that_sends_brackets_without_end_is_a_refusal_and_no_bug(model, reply):
    model.replies = {"/odd/chat/completions": (200, reply)}
    with pytest.raises(UnavailableError, match=r"sent no chat completion; check answer\.endpointUrl"):
        engine(model, "/odd").answer(brief(frame(10, 0.5)))


def test_half_a_character_of_a_servers_words_can_be_passed_on(model):
    model.replies = {"/odd/chat/completions": (200, '{"choices": [{"message": {"content": "at \\ud83d 12 s"}}]}')}
    assert engine(model, "/odd").answer(brief(frame(10, 0.5))).text == "at ? 12 s"


def test_a_dead_server_is_named(model):
    dead = engine(model)
    model.shutdown()
    model.server_close()
    with pytest.raises(UnavailableError, match="does not answer"):
        dead.answer(brief(frame(10, 0.5)))


def test_an_address_that_cannot_be_asked_is_named():
    asked = build(AnswerSpec(engine="openai", endpoint_url="http://llm:99999/v1", model="m"), Path("unused"))

    with pytest.raises(UnavailableError, match="http://llm:99999/v1/chat/completions does not answer"):
        asked.answer(brief(frame(10, 0.5)))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param({}, id="no choices"),
        pytest.param([], id="a list"),
        pytest.param(None, id="null"),
        pytest.param({"choices": [{}]}, id="no message"),
        pytest.param({"choices": [{"message": "hello"}]}, id="a message that is text"),
        pytest.param({"choices": {"0": 1}}, id="choices that are none"),
        pytest.param({"choices": [{"message": {"content": "x"}}], "usage": [1]}, id="a usage that is a list"),
        pytest.param(
            {"choices": [{"message": {"content": "x"}}], "usage": {"completion_tokens": "many"}}, id="tokens in words"
        ),
        pytest.param(
            {"choices": [{"message": {"content": "x"}}], "usage": {"completion_tokens": 1e999}}, id="endless tokens"
        ),
    ],
)
def test_a_reply_that_is_no_chat_completion_is_a_refusal_and_no_bug(model, reply):
    model.replies = {"/odd/chat/completions": (200, json.dumps(reply))}

    with pytest.raises(UnavailableError, match=r"sent no chat completion; check answer\.endpointUrl"):
        engine(model, "/odd").answer(brief(frame(10, 0.5)))


@pytest.mark.parametrize(
    ("reply", "text", "tokens"),
    [
        pytest.param({"choices": [{"message": {"content": None}}]}, "", 0, id="nothing said"),
        pytest.param({"choices": [{"message": {"content": "at one"}}]}, "at one", 2, id="no usage"),
        pytest.param({"choices": [{"message": {"content": "a b c"}}], "usage": None}, "a b c", 3, id="usage null"),
        pytest.param(
            {"choices": [{"message": {"content": "a"}}], "usage": {"completion_tokens": 9}}, "a", 9, id="told"
        ),
    ],
)
def test_tokens_are_the_servers_or_the_words(model, reply, text, tokens):
    model.replies = {"/v2/chat/completions": (200, json.dumps(reply))}
    answer = engine(model, "/v2").answer(brief(frame(10, 0.5)))

    assert (answer.text, answer.completion_tokens) == (text, tokens)


@pytest.mark.parametrize("status", [301, 400, 401, 429, 500, 503])
def test_every_refusal_is_told_with_its_status_and_words(model, status):
    model.replies = {"/no/chat/completions": (status, "x" * 1000 + "END")}

    with pytest.raises(UnavailableError, match=rf"refused with {status}: x+; check answer\.model") as refusal:
        engine(model, "/no").answer(brief(frame(10, 0.5)))
    assert "END" not in refusal.value.message


def test_a_picture_within_its_tokens_is_sent_as_it_is(model):
    small = jpeg(20, 20)
    engine(model).answer(Brief("q", [frame(1, 0.5)], (), lambda: [small], [1]))
    [asked] = model.asked
    [url] = [part["image_url"]["url"] for part in asked["messages"][0]["content"] if part["type"] == "image_url"]

    assert base64.b64decode(url.removeprefix("data:image/jpeg;base64,")) == small


@pytest.mark.parametrize(
    ("seconds", "count"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([5], 1, id="one"),
        pytest.param([1, 2, 3, 4], 1, id="a row"),
        pytest.param([1, 5, 9], 1, id="just near enough"),
        pytest.param([1, 6, 11], 3, id="each too far"),
    ],
)
def test_how_many_moments_frames_make(seconds, count):
    moments = group([frame(at, 0.1 * number) for number, at in enumerate(seconds)])

    assert len(moments) == count
    assert [m.score for m in moments] == sorted((m.score for m in moments), reverse=True)
    assert all(m.start_seconds <= m.pts_seconds < m.end_seconds for m in moments)


def test_of_equal_moments_the_earlier_is_told_first():
    assert [m.start_seconds for m in group([frame(50, 0.5), frame(10, 0.5, shot=1), frame(90, 0.5)])] == [10, 50, 90]
