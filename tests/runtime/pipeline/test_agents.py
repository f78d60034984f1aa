"""Samplers with a model in the loop, through the whole pipeline: a server that looks at the pictures it is sent."""

import base64
import http.server
import io
import json
import re
import threading

import numpy as np
import pytest
from PIL import Image

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry

BLUE = range(10, 15)


class LookingServer(http.server.BaseHTTPRequestHandler):
    """Rates pictures by how blue they are, or asks for stretches of blue; `server.limit` requests, then 503."""

    def do_POST(self):
        parts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][0]["content"]
        self.server.asked += 1
        pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        text = " ".join(part["text"] for part in parts if part["type"] == "text")
        is_away = self.server.asked > self.server.limit
        content = json.dumps({"choices": [{"message": {"content": self.reply(text, pictures)}}]}).encode()
        self.send_response(503 if is_away else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"" if is_away else content)

    def reply(self, text, pictures):
        blue = [n for n, url in enumerate(pictures, 1) if is_blue(url)]
        if "Rate" in text or "rating" in text:
            return "\n".join(f"{n}: {5 if n in blue else 1}" for n in range(1, len(pictures) + 1))
        if "choose frames between" in text:
            numbers = [int(n) for n in re.findall(r"frame (\d+) at", text)]
            stretch = f"choose frames between {numbers[blue[0] - 1]} and {numbers[blue[-1] - 1]}"
            return f"<action>{'output answer' if 'You did' in text else stretch}</action>"
        return "It is blue."

    def log_message(self, *_):
        pass


def is_blue(url):
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).mean(axis=(0, 1))
    return image[2] > 150 > max(image[:2])


@pytest.fixture
def looking_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LookingServer)
    server.asked, server.limit = 0, 99
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(looking_server, clip, tmp_path):
    def asked(sampler, budget, allowance=None):
        address = f"http://127.0.0.1:{looking_server.server_address[1]}/v1"
        answer = {"engine": "openai", "endpointUrl": address, "model": "m"}
        spec = {"sampler": {"name": sampler, "allowance": allowance or {}}, "maxFrames": budget, "answer": answer}
        whole = {"metadata": {"name": "agent"}, "spec": {**spec, "encoder": {"name": "colours"}}}
        variant = SamplerVariant.model_validate(whole)
        pipeline = Pipeline(variant, tmp_path / "cache", RuntimeTelemetry("v", "stable"))
        with pipeline.begin(open_video(clip, 1 << 30), "the red one", "stable") as begun:
            return pipeline.choose(begun)

    return asked


def test_what_the_model_sees_beats_misleading_relevance(ask, looking_server):
    chosen = ask("air", 5)

    assert looking_server.asked >= 2  # the red frames first
    assert chosen.diagnostics["liked"] >= 1
    assert sum(frame in BLUE for frame in chosen.indices) >= chosen.diagnostics["liked"]
    assert any(frame in BLUE for frame in chosen.indices)
    assert not any(frame in BLUE for frame in ask("topk", 5).indices)


def test_a_model_that_walks_through_the_frames(ask):
    chosen = ask("frame-thinker", 2)

    assert set(chosen.indices) <= set(BLUE)
    assert chosen.diagnostics["ended"] == "over"


@pytest.mark.parametrize("sampler", ["air", "frame-thinker", "logic-tree", "expansion"])
def test_a_model_that_is_away_costs_no_answer(ask, looking_server, sampler):
    looking_server.limit = 0

    assert len(ask(sampler, 5)) == 5


def test_the_variants_allowance_ends_the_conversation(ask, looking_server):
    chosen = ask("air", 5, allowance={"modelCalls": 1})

    assert looking_server.asked == 1
    assert chosen.diagnostics["ended"] == "AllowanceSpentError"
