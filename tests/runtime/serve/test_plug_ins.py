"""Serving processes whose samplers are plug-ins: those that wait hold nobody up, those that fail are told by name."""

import itertools
import json
import os
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import yaml
from harness import forked

from pitwall_operator.values.samplers_said import SamplersSaid

pytestmark = pytest.mark.slow

CODE = """
    from pydantic import BaseModel
    from pitwall_runtime.media import Selection
    from pitwall_runtime.samplers.contract import Input, Sampler, Stability

    class Nothing(BaseModel):
        pass

    async def asks(context, parameters):
        words = await context.ask("Which is best?", [0, 1])
        return Selection.of(range(context.budget), model=words)

    def raises(context, parameters):
        if "bad" in context.question:
            return Selection.of([int("many")])
        return Selection.of(range(context.budget))

    def hangs(context, parameters):
        while True:
            pass

    def made(select, **more):
        return Sampler(name=select.__name__, select=select, parameters=Nothing, contract=1, stability=Stability.ALPHA,
                       summary="A sampler of a test.", **more)

    ASKS, RAISES, HANGS = made(asks, uses=frozenset({Input.MODEL})), made(raises), made(hangs)
"""


class PlugInProcess:
    """A serving process with plug-ins installed."""

    def __init__(self, command, environment):
        mine, theirs = os.pipe()
        try:
            self.popen = forked.start(command, env=environment, stderr=theirs)
        finally:
            os.close(theirs)
        self.said = os.fdopen(mine)
        self.lines: list[str] = []
        self.url = ""
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.wait_for(lambda: self.url and httpx.get(f"{self.url}/readyz").status_code == 200)

    def _listen(self):
        for line in self.said:
            self.lines.append(line)
            if found := re.search(r"listens on (http://\S+)", line):
                self.url = found[1]

    def end(self):
        self.popen.kill()
        self.popen.wait()
        self.listener.join()
        self.said.close()

    def wait_for(self, condition):
        ends = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < ends, self.lines
            assert self.popen.poll() is None, self.lines
            time.sleep(0.05)

    def ask(self, question, address):
        parts = [{"type": "text", "text": question}, {"type": "video_url", "video_url": {"url": address}}]
        body = {"messages": [{"role": "user", "content": parts}]}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=60)


@pytest.fixture
def serve(tmp_path, clip, make_variant, write_package):
    site = write_package(tmp_path / "site", "paper", {"asks": "ASKS", "raises": "RAISES", "hangs": "HANGS"}, CODE)
    environment = {**os.environ, "PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"}
    started = []

    def start(sampler, *options, allowance=None, **spec):
        variant = make_variant(sampler, **spec).to_manifest()
        variant["spec"]["sampler"]["allowance"] = allowance or {}
        (tmp_path / "variant.yaml").write_text(yaml.safe_dump(variant))
        command = [sys.executable, "-m", "pitwall_runtime.serve", "--variant", tmp_path / "variant.yaml",
                   "--port", 0, "--cache-dir", tmp_path / "cache", "--media-root", clip.parent, *options]  # fmt: skip
        started.append(PlugInProcess(list(map(str, command)), environment))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_samplers_that_wait_for_a_model_leave_the_only_worker_to_others(serve, wild, clip):
    together = threading.Barrier(3)  # the model says nothing before three samplers ask it at once
    calls = itertools.count()

    def talk(connection, _):
        if next(calls) < 3:
            together.wait(40)
        words = json.dumps({"choices": [{"message": {"content": "The first."}}]}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(words), words))

    address = wild.url("/v1/chat/completions", talk).removesuffix("/chat/completions")
    served = serve("asks", "--workers", 1, answer={"engine": "openai", "endpointUrl": address})
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda word: served.ask(word, f"file://{clip}"), ("red", "blue", "green")))

    assert [answer.status_code for answer in answers] == [200, 200, 200], answers[0].text


def test_one_that_raises_refuses_that_question_and_tells_the_operator_which_line(serve, clip):
    served = serve("raises")
    good, bad = served.ask("red", f"file://{clip}"), served.ask("bad", f"file://{clip}")
    told = httpx.get(f"{served.url}/v1/samplers").json()

    assert (good.status_code, bad.status_code) == (200, 500)
    assert bad.json()["error"]["code"] == "sampler_failed"
    assert re.search(r"'raises' raised ValueError: .* at .*paper\.py:\d+: `return Sel", bad.json()["error"]["message"])
    assert told["served"] == {"name": "raises", "failures": 1, "lastFailure": bad.json()["error"]["message"]}
    understood = SamplersSaid.model_validate(told)
    assert {"asks", "raises", "aks"} <= {one.name for one in understood.samplers}
    assert understood.served.failures == 1


def test_a_process_full_of_hanging_choices_ends_and_its_last_words_say_where(serve, clip):
    served = serve("hangs", "--workers", 3, allowance={"milliseconds": 1})
    with ThreadPoolExecutor(3) as threads:
        for asking in [threads.submit(served.ask, str(number), f"file://{clip}") for number in range(3)]:
            asking.exception(60)

    assert served.popen.wait(60) == 3
    served.listener.join()
    served_last = served.lines[-1]
    assert "3 choices hang, so the process begins anew: sampler 'hangs' had not chosen after" in served_last
    assert "paper.py:" in served_last
