"""The command line: answers with times and a sheet, or one clear line and exit status 2."""

import json
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from harness import forked
from PIL import Image


@pytest.fixture
def ask(tmp_path, make_variant):
    def run(*arguments, answer=None):
        variant = make_variant("aks", frames=5)
        path = tmp_path / "variant.yaml"
        data = variant.to_yaml_dict() | {"apiVersion": variant.api_version, "kind": variant.kind}
        data["spec"] |= {"answer": answer} if answer else {}
        path.write_text(yaml.safe_dump(data))
        command = (sys.executable, "-m", "pitwall_runtime.ask", "--cache-dir", tmp_path / "cache")
        return forked.run((*command, *arguments, "--variant", path))

    return run


def test_an_answer_with_times(ask, clip):
    done = ask(clip, "where is blue")
    assert done.returncode == 0
    assert done.stdout.startswith("Best match at 0:1")
    assert len(done.stdout.splitlines()[1].split()) == 1 + 5
    assert done.stderr == ""


class Rude(BaseHTTPRequestHandler):
    """A language-model server that tells the terminal what to do."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"choices": [{"message": {"content": "At 0:10.\x1b]0;mine\x07\nAgain\u202e"}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_what_a_server_says_is_spelled_out_where_a_terminal_would_obey_it(ask, clip):
    with ThreadingHTTPServer(("127.0.0.1", 0), Rude) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/v1"
        done = ask(clip, "where is blue", answer={"engine": "openai", "endpointUrl": address, "model": "rude"})
        server.shutdown()

    assert done.stdout.splitlines()[:2] == ["At 0:10.\\x1b]0;mine\\x07", "Again\\u202e"], done.stderr


@pytest.mark.parametrize(
    ("video", "options"),
    [("{}", ("--part", "0:06,0:09")), ("file://{}#t=6,9", ()), ("file://{}#t=1,2", ("--part", "6,9"))],
    ids=["an option", "an address", "an option before an address"],
)
def test_a_part_of_the_film_may_be_asked_about(ask, clip, tmp_path, video, options):
    done = ask(video.format(clip), "red", *options, "--output", "json", "--sheet", tmp_path / "sheet.png")

    assert all(6 <= at < 9 for at in json.loads(done.stdout)["frames"])
    assert (tmp_path / "sheet.png").exists()


def test_a_part_that_is_none_is_refused_in_one_line(ask, clip):
    done = ask(clip, "red", "--part", "9,6")

    assert done.returncode == 2
    assert "write #t=START,END" in done.stderr


def test_two_samplers_answer_on_the_same_video_and_share_a_sheet(ask, clip, tmp_path):
    done = ask(clip, "where is blue", "--output", "json", "--sampler", "uniform", "--sampler", "aks:maxDepth=0",
               "--sheet", tmp_path / "sheet.png")  # fmt: skip
    own, uniform, flat = json.loads(done.stdout)["samplers"]

    assert [one["sampler"] for one in (own, uniform, flat)] == ["aks-v1", "uniform", "aks:maxDepth=0"]
    assert uniform["indices"] == [2, 6, 10, 14, 18]
    assert all(10 <= at < 15 for at in flat["frames"])
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 1600


def test_one_sampler_gives_one_object(ask, clip):
    answer = json.loads(ask(clip, "where is blue", "--output", "json").stdout)

    assert len(answer["frames"]) == 5
    assert 10 <= answer["moments"][0]["pts_seconds"] < 15


@pytest.fixture
def server(clip):
    """A web server of this machine that has the clips."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(clip.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


def test_a_film_has_a_path_or_an_address_however_it_is_written(ask, clip, server):
    by_file = ask(f"FILE://{clip}", "where is blue")
    by_web = ask(f"HTTP://127.0.0.1:{server}/{clip.name}", "where is blue", "--allow-host", f"127.0.0.1:{server}")
    assert by_file.stderr == by_web.stderr == ""
    assert by_file.stdout == by_web.stdout == ask(clip, "where is blue").stdout
    by_hand = ask(f" http://127.0.0.1:{server}/{clip.name} \n", "where is blue", "--allow-host", f"127.0.0.1:{server}")
    assert (by_hand.stderr, by_hand.stdout) == ("", by_web.stdout), "blanks came along when it was copied"


def test_what_is_damaged_is_told(ask, make_clip, tmp_path):
    """The end of a film is missing, as after an upload that broke off."""
    scenes = [("red", 5), ("green", 5), ("blue", 5), ("yellow", 5)] * 3
    content = make_clip(tmp_path / "whole.mp4", scenes, options={"movflags": "faststart"}).read_bytes()
    pictures = content.index(b"mdat")
    (tmp_path / "cut.mp4").write_bytes(content[: pictures + (len(content) - pictures) * 3 // 4])

    words, data = (ask(tmp_path / "cut.mp4", "where is blue", "--output", output).stdout for output in ("text", "json"))

    (lost,), damaged = json.loads(data)["damage"], json.loads(data)["damaged"]
    assert lost.keys() == {"start_seconds", "end_seconds"}
    assert damaged == {"stretches": 1, "seconds": round(lost["end_seconds"] - lost["start_seconds"], 3)}
    assert 25 < lost["start_seconds"] < lost["end_seconds"] == 60
    assert words.splitlines()[-1].startswith("damaged, could not be decoded or only in part: 0:")
    assert words.splitlines()[-1].endswith(" to 1:00")


@pytest.mark.parametrize(
    ("video", "question", "more", "words"),
    [
        pytest.param("none.mp4", "q", (), "check the name", id="missing"),
        pytest.param("note.mp4", "q", (), "this is text, perhaps an error message", id="no-video"),
        pytest.param("page.mp4", "q", (), "a web page, perhaps a login", id="a-login-page"),
        pytest.param(".", "q", (), "not a regular file", id="a-folder"),
        pytest.param("http://127.0.0.1/x.mp4", "q", (), "no public address", id="private"),
        pytest.param("colours.mp4", "  ", (), "no question: say what to look for", id="blank"),
        pytest.param("colours.mp4", "a\udcff", (), "must be UTF-8 text", id="no text"),
        pytest.param("colours.mp4", "x" * 5000, (), "limit is 4000", id="too-long"),
        pytest.param("colours.mp4", "q", ("--sampler", "akz"), "unknown sampler 'akz'", id="no such sampler"),
        pytest.param("colours.mp4", "q", ("--sampler", "aks:depth"), "'depth' is no PARAMETER=VALUE", id="no value"),
        pytest.param("colours.mp4", "q", ("--sampler", "aks:maxDepth=99"), "maxDepth = 99", id="too deep"),
        pytest.param("colours.mp4", "q", ("--cache-dir", sys.executable), "can be no cache folder", id="no cache"),
        pytest.param("colours.mp4", "q", ("--sheet", "/no/such/folder/x.png"), "does not exist", id="no-folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(ask, clip, video, question, more, words):
    (clip.parent / "note.mp4").write_text("not a film")
    (clip.parent / "page.mp4").write_text("<!doctype html><title>Sign in</title>")
    path = video if video.startswith("http") else clip.parent / video
    done = ask(path, question, *more)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
