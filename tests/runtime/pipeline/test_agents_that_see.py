"""The agent with a real vision-language model behind the answer engine: what it sees beats misleading relevance, and
where calls or time run out the best so far stays."""

import threading

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.samplers.composed.air import AirParameters, AirSearch
from pitwall_runtime.samplers.composed.dialogue import clock

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

BLUE = range(10, 15)
QUESTION = "the red one"


@pytest.fixture(scope="module")
def model():
    from seeing import TinyVlm

    seconds = np.arange(20.0)
    parameters = AirParameters(rounds=64, frames_per_round=1)
    first = AirSearch(QUESTION, np.zeros(20), seconds, 4, parameters).ask()
    words = f"These are frames of a video with their times. {first.prompt}"
    shown = f"1 at {clock(seconds[first.frames[0]])}"
    assert shown in words
    return TinyVlm([words.replace(shown, f"1 at {clock(second)}") for second in seconds])


@pytest.fixture
def server(model):
    from seeing import TinyVlmServer

    model.asked, made = 0, TinyVlmServer(model)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.go.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def choose(server, clip, tmp_path):
    """What `air` chooses of the clip: red, green, blue, yellow, five seconds each."""

    def chosen(budget=4, **allowance):
        sampler = {"name": "air", "parameters": {"rounds": 64, "framesPerRound": 1}, "allowance": allowance}
        answer = {"engine": "openai", "endpointUrl": server.url, "model": "seeing"}
        spec = {"sampler": sampler, "maxFrames": budget, "answer": answer, "encoder": {"name": "colours"}}
        variant = SamplerVariant.model_validate({"metadata": {"name": "agent"}, "spec": spec})
        pipeline = Pipeline(variant, tmp_path / "cache", RuntimeTelemetry("v", "stable"))
        with pipeline.begin(open_video(clip, 1 << 30), QUESTION, "stable") as begun:
            return pipeline.choose(begun)

    return chosen


def test_what_it_sees_is_what_is_chosen(choose, model):
    found = choose(modelCalls=64, milliseconds=300_000)

    assert found.diagnostics["liked"] == 4
    assert set(found.indices) <= set(BLUE), "relevance is with the red frames"
    assert model.asked == found.diagnostics["rated"] < 20


def test_when_its_calls_are_spent_the_best_so_far_stays(choose, model):
    all_of_it = choose(modelCalls=64, milliseconds=300_000).diagnostics["rated"]
    model.asked = 0
    found = choose(modelCalls=all_of_it - 1, milliseconds=300_000)

    assert (model.asked, found.diagnostics["ended"]) == (all_of_it - 1, "AllowanceSpentError")
    assert found.diagnostics["liked"] == 3
    assert len(set(found.indices) & set(BLUE)) >= 3
    assert len(found) == 4


def test_when_it_thinks_too_long_it_is_cut_off_and_the_best_so_far_stays(choose, model, server):
    all_of_it = choose(modelCalls=64, milliseconds=300_000).diagnostics["rated"]
    model.asked, server.quick = 0, all_of_it - 1
    found = choose(modelCalls=64, milliseconds=8000)

    assert (found.diagnostics["liked"], found.diagnostics["ended"]) == (3, "AllowanceSpentError")
    assert len(set(found.indices) & set(BLUE)) >= 3
    assert len(found) == 4
