"""Files of subtitles of anybody's making are read in a process of their own, and none takes long."""

import threading

import pytest
from harness.effort import effort

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadSubtitlesError, TooLateError
from pitwall_runtime.ingest.subtitles import MOST_SUBTITLE_BYTES
from pitwall_runtime.media import Caption
from pitwall_runtime.stages.decode import subtitles
from pitwall_runtime.stages.decode.libav.files.captions import MOST_CAPTIONS, MOST_CHARACTERS, read_captions
from pitwall_runtime.stages.decode.subtitles import read_subtitles

SRT = "1\n00:00:00,000 --> 00:00:05,000\n"
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n"
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
LINE = "Dialogue: 0,0:00:00.00,0:00:05.00,Default,,0,0,0,,"


def filled(head: str, unit: str) -> bytes:
    """As long as a file may be."""
    return (head + unit * ((MOST_SUBTITLE_BYTES - len(head)) // len(unit))).encode()


WORST = [
    pytest.param(filled(SRT, "{\\"), id="SubRip, styling that never ends"),
    pytest.param(filled(SRT, "<i>"), id="SubRip, tags without end"),
    pytest.param(filled(SRT, "a\n"), id="SubRip, one caption of many lines"),
    pytest.param(filled("", f"{SRT}" + "{\\a" * 5000 + "\n\n"), id="SubRip, many captions of styling that never ends"),
    pytest.param(filled("WEBVTT\n\n00:00.000 --> 00:05.000\n", "{"), id="WebVTT, brackets"),
    pytest.param(filled(ASS + LINE, "{\\"), id="ASS, styling that never ends"),
    pytest.param(filled(ASS, "Dialogue:0,0:0:0.0,0:0:5.0,\n"), id="ASS, many captions of nothing"),
    pytest.param(filled(ASS, f"{LINE}a\n"), id="ASS, many captions"),
    pytest.param(filled(ASS, LINE + "a" * 999 + "\n"), id="ASS, many long captions"),
]


@pytest.mark.parametrize("data", WORST)
def test_the_longest_file_takes_a_few_seconds_of_another_process_and_hardly_any_of_this_one(tmp_path, data):
    (tmp_path / "said.srt").write_bytes(data)

    with effort() as spent:
        captions = read_subtitles(tmp_path / "said.srt", Deadline())

    assert spent.megabytes < 20
    assert len(captions) <= MOST_CAPTIONS
    assert sum(len(one.text) for one in captions) <= MOST_CHARACTERS + 1000


def test_styling_ends_at_the_next_bracket_and_what_never_ends_is_shown():
    lines = (f"{LINE}{text}\n" for text in (r"{\an8}up", r"a{\b1{\i1}b} c", r"{\b{\b", "{}"))
    texts = [one.text for one in read_captions((ASS + "".join(lines)).encode())]

    assert texts == ["up", "ab} c", r"{\b{\b"]


def test_a_caption_that_nobody_could_read_is_left_out():
    data = (ASS + LINE + "a" * 20_000 + f"\n{LINE}good morning\n").encode()

    assert read_captions(data) == (Caption(0.0, 5.0, "good morning"),)


def test_a_file_that_outgrows_its_process_is_refused_in_words(tmp_path, monkeypatch):
    (tmp_path / "said.srt").write_text(SRT + "good morning\n")
    monkeypatch.setattr(subtitles.sys, "executable", "/bin/false")

    with pytest.raises(BadSubtitlesError, match=r"took more to read than the limits of 10 s and \d+ MiB; send plain"):
        read_subtitles(tmp_path / "said.srt", Deadline())


def test_who_leaves_or_has_no_time_ends_the_reading(tmp_path):
    (tmp_path / "said.ass").write_bytes(filled(ASS, "Dialogue:0,0:0:0.0,0:0:5.0,\n"))
    deadline = Deadline()
    leaving = threading.Timer(0.05, deadline.give_up)
    leaving.start()

    with pytest.raises(TooLateError, match="the asker has left"):
        read_subtitles(tmp_path / "said.ass", deadline)
    with pytest.raises(TooLateError, match=r"not answered within its 0\.05 s"):
        read_subtitles(tmp_path / "said.ass", Deadline(0.05))
    leaving.join()
