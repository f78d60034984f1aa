"""A real serving process: OpenAI's shape, clear refusals, bounded queue, clean end."""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import openai
import pytest
import yaml
from harness import forked

from pitwall_crds.names import Header, Metric
from pitwall_runtime.ingest.fetch.download import DownloadLimits

READY_SECONDS = 60


@dataclass
class Served:
    """A running process and its address."""

    process: forked.ForkedProcess
    lines: IO[str]
    url: str
    cache: Path

    def chat(self, question, address, *, headers=None, timeout=60, **body):
        parts = [{"type": "text", "text": question}, {"type": "video_url", "video_url": {"url": address}}]
        request = {"model": "any", "messages": [{"role": "user", "content": parts}], **body}
        return httpx.post(f"{self.url}/v1/chat/completions", json=request, headers=headers, timeout=timeout)


def command(*options):
    return [sys.executable, "-m", "pitwall_runtime.serve", *map(str, options)]


def write_variant(folder, variant):
    path = folder / f"{variant.metadata.name}.yaml"
    path.write_text(yaml.safe_dump(variant.to_yaml_dict() | {"apiVersion": variant.api_version, "kind": variant.kind}))
    return path


def start(folder, variant, media_root, *options):
    mine, theirs = os.pipe()
    try:
        process = forked.start(
            command(
                *("--variant", write_variant(folder, variant), "--port", 0, "--cache-dir", folder / "cache"),
                *("--media-root", media_root, *options),
            ),
            stderr=theirs,
        )
    finally:
        os.close(theirs)
    lines = os.fdopen(mine)
    for line in lines:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            break
    served = Served(process, lines, found.group(), folder / "cache")
    deadline = time.monotonic() + READY_SECONDS
    while httpx.get(f"{served.url}/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return served


def stop(served):
    served.process.kill()
    served.process.wait()
    served.lines.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory, clip):
    from pitwall_crds.variant.variant import SamplerVariant

    spec = {"sampler": {"name": "aks"}, "maxFrames": 4, "encoder": {"name": "colours"}}
    variant = SamplerVariant.model_validate({"metadata": {"name": "aks-v2"}, "spec": spec})
    running = start(tmp_path_factory.mktemp("serve"), variant, clip.parent, "--arm", "candidate")
    yield running
    stop(running)


def test_an_openai_client_gets_an_answer_with_pitwalls_extension(served, clip):
    client = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)
    parts = [
        {"type": "text", "text": "where is blue"},
        {"type": "video_url", "video_url": {"url": clip.as_uri()}},
    ]
    completion = client.chat.completions.create(
        model="aks-v2", messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": parts}]
    )
    extension = completion.model_extra["pitwall"]
    assert completion.choices[0].message.content.startswith("Best match at 0:1")
    assert completion.usage.prompt_tokens == extension["tokens"] + 3
    assert (extension["sampler_variant"], extension["answer_engine"]) == ("aks-v2", "moments")
    assert set(extension["moments"][0]) == {"start_seconds", "end_seconds", "pts_seconds", "label", "score"}
    assert len(extension["frames"]) == 4
    assert extension["stages"].keys() >= {"ingest", "prepare", "select", "encode", "score", "reduce", "answer"}


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_on_loopback_pages_of_other_sites_neither_ask_nor_read_a_count(served, clip, headers):
    """A browser of this machine sends what any page wants, to any name that leads here."""
    asked = served.chat("where is blue", clip.as_uri(), headers=headers)
    read = httpx.get(f"{served.url}/metrics", headers=headers)

    assert (asked.status_code, read.status_code) == (403, 403)
    assert "to this machine alone" in read.text
    assert httpx.get(f"{served.url}/metrics").status_code == 200


def test_a_part_of_the_film_that_its_address_names_is_what_is_asked_about(served, clip):
    answer = served.chat("red", f"file://{clip}#t=6,9").json()
    refused = served.chat("red", f"file://{clip}#t=9,6")

    assert all(6 <= at < 9 for at in answer["pitwall"]["frames"])
    assert refused.status_code == 400
    assert "write #t=START,END" in refused.json()["error"]["message"]


def test_models_lists_the_variant(served):
    client = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none")
    assert [model.id for model in client.models.list()] == ["aks-v2"]


def test_the_arm_is_the_gateways_word_and_unknown_words_make_no_series(served, clip):
    for arm in ("control", "shadow", "made-up"):
        served.chat("red", clip.as_uri(), headers={Header.ARM: arm}).raise_for_status()
    metrics = httpx.get(f"{served.url}/metrics").text
    arms = set(re.findall(rf'{Metric.CACHE_QUERIES}{{arm="([a-z-]+)"', metrics))
    assert arms == {"candidate", "control", "shadow"}


@pytest.mark.parametrize(
    ("question", "address", "status", "code", "words"),
    [
        pytest.param("q", "file:///etc/passwd", 400, "media_refused", "outside the media roots", id="outside"),
        pytest.param("q", "file://ROOT/none.mp4", 404, "media_missing", "check the name", id="missing"),
        pytest.param("q", "file://ROOT/note.mp4", 415, "not_a_video", "this is text, perhaps", id="no-video"),
        pytest.param("q", "http://169.254.169.254/x", 400, "media_refused", "no public address", id="metadata"),
        pytest.param("q", "http://10.0.0.1/x", 400, "media_refused", "no public address", id="private"),
        pytest.param("", "file://ROOT/colours.mp4", 400, "bad_question", "no question", id="no-question"),
        pytest.param("x" * 1_000_000, "file://ROOT/colours.mp4", 400, "bad_question", "limit is 4000", id="megabyte"),
        pytest.param("x" * 5_000_000, "file://ROOT/colours.mp4", 413, "", "1048576 bytes", id="five-megabytes"),
    ],
)
def test_bad_input_is_refused_in_openais_shape(served, clip, question, address, status, code, words):
    (clip.parent / "note.mp4").write_text("not a film")
    response = served.chat(question, address.replace("ROOT", str(clip.parent)))
    error = response.json()["error"]
    assert response.status_code == status
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["code"].startswith(code)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("{", "not JSON", id="half-a-json"),
        pytest.param("[]", "body", id="no-object"),
        pytest.param("{}", "messages", id="no-messages"),
        pytest.param('{"messages": []}', "messages", id="empty-messages"),
        pytest.param('{"messages": [{"role": "user", "content": 7}]}', "messages.0.content", id="content-a-number"),
        pytest.param('{"messages": [{"role": "user", "content": "hello"}]}', "no video", id="no-video"),
        pytest.param('{"messages": [{"role": "system", "content": "x"}]}', "role 'user'", id="nobody-asks"),
        pytest.param('{"stream": true, "messages": [{"role": "user", "content": "x"}]}', "stream=false", id="stream"),
    ],
)
def test_malformed_requests_are_told_where(served, body, words):
    response = httpx.post(f"{served.url}/v1/chat/completions", content=body)
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nope", 404), ("GET", "/v1/chat/completions", 405)])
def test_wrong_addresses_answer_in_the_same_shape(served, method, path, status):
    response = httpx.request(method, served.url + path)
    assert response.status_code == status
    assert response.json()["error"]["code"] in {"not_found", "method_not_allowed"}


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(tmp_path, make_variant, make_clip):
    for number in range(4):
        make_clip(tmp_path / f"{number}.mp4", [("red", 3 + number), ("blue", 3)])
    served = start(tmp_path, make_variant(), tmp_path, "--workers", "1", "--queue", "1")
    try:
        addresses = [(tmp_path / f"{number}.mp4").as_uri() for number in range(4)]
        with ThreadPoolExecutor(4) as threads:
            responses = list(threads.map(lambda address: served.chat("blue", address), addresses))
        assert sorted(response.status_code for response in responses) == [200, 200, 503, 503]
        refused = next(response for response in responses if response.status_code == 503)
        assert refused.headers["retry-after"] == "1"
        assert "2 questions are already in progress or waiting" in refused.json()["error"]["message"]
        assert served.chat("blue", addresses[0]).status_code == 200
    finally:
        stop(served)


def test_sigterm_lets_a_running_answer_finish(tmp_path, make_variant, make_clip):
    clip = make_clip(tmp_path / "new.mp4", [("red", 20), ("blue", 20)])
    served = start(tmp_path, make_variant(), tmp_path, "--grace-seconds", "20")
    try:
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(served.chat, "blue", clip.as_uri())
            deadline = time.monotonic() + 20
            while not list((tmp_path / "cache").glob("locks/*")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            os.kill(served.process.pid, signal.SIGTERM)
            assert answer.result(timeout=30).status_code == 200
        assert served.process.wait(timeout=15) == 0
    finally:
        stop(served)


def never(connection, _):
    """Takes the request and says nothing until the client leaves."""
    while connection.recv(65536):
        pass


def answers(connection, _):
    body = b'{"choices": [{"message": {"content": "there"}}]}'
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def drip(connection, wild):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\0\0\0\x20ftypisom")
    while not wild.ended.wait(0.05):
        connection.sendall(b"x")


def until(condition):
    latest = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < latest, "this was waited for in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory, clip, lasting_wild):
    """A runtime with one worker and no queue; the wild server is its language model and holds its videos."""
    from pitwall_crds.variant.variant import SamplerVariant

    spec = {"sampler": {"name": "aks"}, "maxFrames": 4, "encoder": {"name": "colours"}}
    spec["answer"] = {"engine": "openai", "endpointUrl": lasting_wild.url("/v1"), "model": "m"}
    variant = SamplerVariant.model_validate({"metadata": {"name": "narrow"}, "spec": spec})
    folder = tmp_path_factory.mktemp("narrow")
    options = ("--workers", "1", "--queue", "0", "--allow-host", lasting_wild.host)
    running = start(folder, variant, clip.parent, *options)
    yield running
    stop(running)


def test_the_callers_deadline_ends_a_question_wherever_it_waits(narrow, clip, lasting_wild):
    soon = {Header.DEADLINE: "1500"}
    lasting_wild.url("/v1/chat/completions", never)
    unanswered = narrow.chat("blue", clip.as_uri(), headers=soon)
    assert (unanswered.status_code, unanswered.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert "within its 1.5 s" in unanswered.json()["error"]["message"]
    assert unanswered.json()["pitwall"]["preparing"] is False
    until(lambda: lasting_wild.open_now == 0)

    fetched = narrow.chat("blue", lasting_wild.url("/slow.mp4", drip), headers=soon)
    assert (fetched.status_code, fetched.json()["error"]["code"]) == (424, "media_origin")
    until(lambda: lasting_wild.open_now == 0)


def test_a_client_that_leaves_frees_the_worker_and_the_language_model(narrow, clip, lasting_wild):
    lasting_wild.url("/v1/chat/completions", never)
    for _ in range(2):  # the second one finds the only worker free
        asked = len(lasting_wild.asked("/v1/chat/completions"))
        with pytest.raises(httpx.ReadTimeout):
            narrow.chat("blue", clip.as_uri(), timeout=3)
        assert len(lasting_wild.asked("/v1/chat/completions")) == asked + 1
        until(lambda: lasting_wild.open_now == 0)


def test_slow_downloads_keep_no_question_from_its_answer(narrow, clip, lasting_wild):
    lasting_wild.url("/v1/chat/completions", answers)
    answered = threading.Event()

    def slow(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\0\0\0\x20ftypisom")
        while not answered.wait(0.05):
            connection.sendall(b"x")

    with ThreadPoolExecutor(6) as threads:
        urls = [lasting_wild.url(f"/{number}.mp4", slow) for number in range(6)]
        waiting = [threads.submit(narrow.chat, "blue", url) for url in urls]
        until(lambda: lasting_wild.open_now == DownloadLimits().per_host)
        assert narrow.chat("blue", clip.as_uri()).status_code == 200
        assert not any(chat.done() for chat in waiting)
        answered.set()
        assert [chat.result(timeout=60).status_code for chat in waiting] == [424] * 6


def test_a_downloaded_file_that_is_no_video_does_not_stay(narrow, lasting_wild):
    body = b"\0\0\0\x20ftypisom" + bytes(5000)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    refused = narrow.chat("blue", lasting_wild.url("/film.mp4", head + body))
    assert (refused.status_code, refused.json()["error"]["code"]) == (415, "not_a_video")
    assert [path.name for path in (narrow.cache / "downloads").glob("*") if path.is_file()] == []


def run(*options):
    return forked.run(command(*options))


def test_a_port_in_use_is_one_line_and_exit_2(tmp_path, make_variant):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--variant", write_variant(tmp_path, make_variant()), "--port", port, "--cache-dir", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"pitwall-runtime: cannot listen on 127.0.0.1:{port} (Address already in use); choose another --port, or 0\n"
    )


def test_a_cache_folder_that_is_a_file_is_one_line_and_exit_2(tmp_path, make_variant):
    variant = write_variant(tmp_path, make_variant())
    done = run("--variant", variant, "--port", 0, "--cache-dir", variant)
    assert done.returncode == 2
    assert done.stderr == (
        f"pitwall-runtime: --cache-dir '{variant}' can be no cache folder (File exists); choose another\n"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"sampler": {"name": "akz"}}, "unknown sampler 'akz'", id="sampler"),
        pytest.param({"sampler": {"name": "aks", "parameters": {"maxDepth": 77}}}, "maxDepth = 77", id="parameter"),
        pytest.param({"encoder": {"name": "clop"}}, "unknown encoder 'clop'", id="encoder"),
        pytest.param({"maxFrames": 0}, "maxFrames", id="schema"),
    ],
)
def test_a_variant_that_cannot_serve_ends_the_process_with_a_reason(tmp_path, make_variant, change, words):
    data = json.loads(make_variant().model_dump_json(by_alias=True, exclude={"status"}))
    data["spec"] |= change
    path = tmp_path / "variant.yaml"
    path.write_text(yaml.safe_dump(data))
    done = run("--variant", path, "--port", 0, "--cache-dir", tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
