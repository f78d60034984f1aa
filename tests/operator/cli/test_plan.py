"""`pitwall plan` tells what it was told, what it measured and what it assumed; its numbers are for people."""

import http.server
import json
import threading
import time

import pytest
import yaml

from pitwall_crds.host import files
from pitwall_crds.rollout.status import RolloutStatus

ROLLOUT = {
    "apiVersion": "pitwall.dev/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "sampler"},
    "spec": {
        "flag": "sampler.variant",
        "variantRef": {"name": "aks-v1"},
        "stages": [
            {"shadow": {"percent": 20}},
            {"weightBasisPoints": 1000, "approval": "Manual"},
            {"weightBasisPoints": 10_000, "bakeSeconds": 3600},
        ],
        "control": {"dedicated": True},
        "analysis": {
            "gates": [
                {"name": "p99", "quantile": {"metric": "QueryLatency"}},
                {"name": "thumbs", "rate": {"metric": "ThumbsDown"}},
            ]
        },
    },
}


@pytest.fixture
def given(as_file):
    return as_file(ROLLOUT)


def test_a_plan_is_told_in_numbers_for_people(say, given):
    said = say("plan", given, "--questions-per-second", "0.02", "--rate", "thumbs=4")

    assert (said.code, said.err) == (0, "")
    assert "said      traffic: 0.02 questions a second; thumbs: 4% bad" in said.out
    assert "assumed   p99: p99 is 3.2 times p50; thumbs: 0.02 trials a question" in said.out
    assert "(.pitwall holds no resources" in said.out
    assert "shadow   copies   about" in said.out
    assert "trials, then a person approves" in said.out
    assert "no user: found in shadow, about" in said.out
    assert "thumbs at 10% takes about" in said.out
    assert "promoteMarginPercent 800 (it is 25) takes about" in said.out


def test_a_plan_is_told_to_programs(say, given):
    said = say("plan", given, "--trials-per-question", "thumbs=0", "-o", "json")
    (told,) = json.loads(said.out)

    assert [stage["name"] for stage in told["stages"]] == ["shadow", "10%", "100%"]
    assert told["stages"][1]["seconds"] is None
    assert {"topic": "thumbs", "what": "0 trials a question", "how": "said"} in told["known"]
    assert {one["gate"] for one in told["bad"]} == {"p99", "thumbs"}
    assert "no question becomes a trial" in told["help"][0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "thumb=4"), "--rate thumb: there is no such gate; did you mean thumbs?"),
        (("--rate", "thumbs=much"), "--rate thumbs=much: give a gate and a number"),
        (("--rate", "thumbs=101"), "the number must be from 0 to 100"),
        (("--rate", "p99=1"), "--rate p99: only gates on a rate have one"),
        (("--trials-per-question", "thumbs=-1"), "the number must be from 0 to inf"),
    ],
)
def test_options_that_mean_nothing_are_refused(say, given, options, words):
    said = say("plan", given, *options)

    assert said.code == 2
    assert words in said.err


def test_a_file_without_a_rollout_is_refused(say, as_file):
    variant = {"apiVersion": "pitwall.dev/v1alpha1", "kind": "SamplerVariant", "metadata": {"name": "v"}}
    said = say("plan", as_file(yaml.safe_dump(variant | {"spec": {"sampler": {"name": "aks"}}})))

    assert (said.code, "there is no Rollout in" in said.err) == (2, True)


class Metrics(http.server.BaseHTTPRequestHandler):
    """A gateway that was asked a thousand questions in as many seconds."""

    def do_GET(self):
        body = (
            f"process_start_time_seconds {time.time() - 1000}\n"
            'pitwall_queries_total{sampler_variant="uniform-v1",arm="stable",outcome="ok"} 1000\n'
        ).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_what_the_gateway_of_the_folder_counted_is_used(say, given, stored, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        folder = tmp_path / ".pitwall"
        files.write_json(folder / "run" / "settings.json", {"ports": {"metrics": server.server_address[1]}})
        unknown = say("plan", given).out
        stored.write_status(stored.rollouts()[0], RolloutStatus(stable_variant="uniform-v1"))
        known = say("plan", given).out
    finally:
        server.shutdown()
        server.server_close()
    away = say("plan", given).out

    assert "(sampler has no stable variant in .pitwall)" in unknown
    assert "measured  traffic: 1 questions a second" in known
    assert "/metrics cannot be read" in away
