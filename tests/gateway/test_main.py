"""The gateway as a process: how it starts, refuses to, and ends."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from pitwall_crds.host.sockets import listen

pytestmark = pytest.mark.slow


@pytest.fixture
def launch(pit):
    """Start a gateway process; it is killed at the end if it still runs."""
    with contextlib.ExitStack() as stack:

        def start(port=0, *more):
            command = [sys.executable, "-m", "pitwall_gateway", "--port", str(port), "--no-authentication", *more]
            command += ["--routes", str(pit.routes), "--state-dir", str(pit.folder / "state")]
            process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        yield start


def listening_url(process):
    for line in process.stderr:
        if found := re.search(r"listens on (http://\S+)", line):
            return found[1]
    raise AssertionError("the gateway ended before it listened")


def test_a_port_in_use_is_one_clear_line_and_status_2(launch):
    taken = listen("127.0.0.1", 0)
    process = launch(taken.getsockname()[1])

    _, error = process.communicate(timeout=30)
    taken.close()

    assert process.returncode == 2
    assert re.fullmatch(r"gateway: cannot listen on 127.0.0.1:\d+ \(.+\); choose another --port, or 0\n", error)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--follow-up-seconds", "0"], "must be more than 0"),
        (["--shadow-queue", "0"], "must be at least 1"),
        (["--shadow-queue", "many"], "invalid"),
        (["--warm-questions", "17"], "must be 0 to 16"),
    ],
)
def test_a_bad_setting_is_refused_with_its_limit(launch, arguments, words):
    process = launch(0, *arguments)

    _, error = process.communicate(timeout=30)

    assert process.returncode == 2
    assert words in error
    assert "Traceback" not in error


def test_sigterm_lets_the_answer_under_way_finish_and_ends_with_0(pit, launch):
    runtime = pit.runtime("uniform-v1", hangs=True)
    pit.route({"uniform-v1": {"stable": [runtime.url]}})
    process = launch()
    pit.url = listening_url(process)

    with pit.in_background(lambda: pit.ask("ann")) as asked:
        pit.until(lambda: runtime.seen, "the question to arrive")
        os.kill(process.pid, signal.SIGTERM)
        runtime.release.set()
    _, error = process.communicate(timeout=30)

    assert asked.result().status_code == 200
    assert process.returncode == 0
    assert "Traceback" not in error


def test_sigterm_does_not_wait_for_a_hanging_runtime_longer_than_the_grace(pit, launch):
    runtime = pit.runtime("uniform-v1", hangs=True)
    pit.route({"uniform-v1": {"stable": [runtime.url]}})
    process = launch(0, "--grace-seconds", "1")
    pit.url = listening_url(process)

    with pit.in_background(lambda: pit.ask("ann")) as asked:
        pit.until(lambda: runtime.seen, "the question to arrive")
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)

    assert process.returncode == 0
    assert asked.exception() or asked.result().status_code >= 500


def test_metrics_are_on_a_port_of_their_own(pit, launch):
    runtime = pit.runtime("uniform-v1")
    pit.route({"uniform-v1": {"stable": [runtime.url]}})
    process = launch()
    for line in process.stderr:
        if found := re.search(r"listens on (http://\S+) and shows its metrics on (http://\S+)", line):
            break
    pit.url, metrics = found.groups()
    assert pit.ask("ann").status_code == 200

    assert pit.client.get(pit.url + "/metrics").status_code == 404
    assert "pitwall_queries_total{" in pit.client.get(metrics).text
    assert pit.client.post(metrics.replace("/metrics", "/v1/chat/completions")).status_code == 404
    process.terminate()
    assert process.wait(timeout=30) == 0


def test_the_body_of_a_request_that_offers_an_upgrade_is_read(launch):
    """Every Java client offers HTTP/2 over plain HTTP; uvicorn's C parser alone would drop the body."""
    host, port = listening_url(launch()).removeprefix("http://").split(":")
    body = b'{"messages": 7}'
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: [::1]\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        f"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(head.encode() + body)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))

    assert b"messages is 7" in answer or b"messages is a number" in answer, answer
