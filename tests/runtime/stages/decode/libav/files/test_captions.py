"""Subtitles beside the film and in files of their own, and the frames where the video's encoder began anew."""

from pathlib import Path

import pytest
from films.making import H264, encode, ffmpeg, remux
from films.reading import decode

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Caption, PoolSpec
from pitwall_runtime.stages.decode.catalogue import build, read
from pitwall_runtime.stages.decode.libav.files.captions import read_captions

SRT = """1
00:00:01,000 --> 00:00:02,500
The <i>squirrel</i> says:
good morning.

2
00:00:04,000 --> 00:00:05,000
{\\an8}Über den Wolken
"""
VTT = """WEBVTT - a film

NOTE nobody says this

intro
00:01.000 --> 00:02.500 line:0
The <b>squirrel</b> says:
good morning.

00:04.000 --> 00:05.000
Über den Wolken
"""
SAID = (Caption(1.0, 2.5, "The squirrel says: good morning."), Caption(4.0, 5.0, "Über den Wolken"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(SRT.encode(), SAID, id="SubRip, its styling left out"),
        pytest.param(VTT.encode(), SAID, id="WebVTT, its notes left out"),
        pytest.param(SRT.encode("utf-8-sig"), SAID, id="a byte order mark"),
        pytest.param(SRT.encode("utf-16"), SAID, id="UTF-16"),
        pytest.param(SRT.encode("cp1252"), SAID, id="an old editor's Western European"),
        pytest.param(SRT.replace("\n", "\r\n").encode(), SAID, id="another system's line ends"),
        pytest.param(b"WEBVTT\n", (), id="a file of none"),
    ],
)
def test_captions_of_a_file(data, expected):
    assert read_captions(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0" * 4096, id="zeros"),
        pytest.param(b"Dear reader,\nthese are not subtitles.\n", id="prose"),
        pytest.param(b"#EXTM3U\n#EXT-X-VERSION:3\nfile:///etc/passwd\n", id="a playlist that names another file"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/passwd\n", id="a list of files"),
    ],
)
def test_what_are_no_subtitles_is_told_and_nothing_else_is_opened(data):
    with pytest.raises(ValueError, match="no SubRip, WebVTT or ASS file"):
        read_captions(data)


def test_as_many_captions_as_a_film_has_and_not_more(monkeypatch):
    monkeypatch.setattr("pitwall_runtime.stages.decode.libav.files.captions.MOST_CAPTIONS", 1)

    assert read_captions(SRT.encode()) == SAID[:1]


def pool(path: Path, backend: str = "pyav"):
    """Key frames by second, and the subtitles."""
    *frames, ended = read(backend, str(path), PoolSpec())
    return [second for second, frame in enumerate(frames) if frame.key], ended.subtitles


@pytest.fixture(scope="module")
def subtitled(tmp_path_factory):
    """Writes ten seconds with a key picture every 2.5 s and subtitles inside; options are ffmpeg's."""
    folder = tmp_path_factory.mktemp("subtitled")
    (folder / "said.srt").write_text(SRT)
    every = ("-g", 20, "-keyint_min", 20, "-sc_threshold", 0)

    def make(name, *options, before=()):
        source = lambda out: encode(out, range(80), 8, *H264, *every)  # noqa: E731
        inputs = ("-i", folder / "said.srt", "-map", "0:v", "-map", "1", "-c:v", "copy")
        remux(folder / name, source, *inputs, *options, before=before)
        return folder / name

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ("-c:s", "mov_text")),
        ("a.mkv", ("-c:s", "srt")),
        ("styled.mkv", ("-c:s", "ass")),
        ("late.mkv", ("-c:s", "srt", "-output_ts_offset", 3600)),
    ],
)
def test_a_film_tells_its_key_frames_and_what_is_said_on_the_pools_clock(subtitled, name, options):
    assert pool(subtitled(name, *options)) == ([0, 3, 5, 8], SAID)


@pytest.mark.slow
def test_so_does_the_decoders_process(subtitled):
    keys = []
    timeline = decode(subtitled("child.mkv", "-c:s", "srt"), PoolSpec(), lambda frame: keys.append(frame.key))

    assert [second for second, key in enumerate(keys) if key] == [0, 3, 5, 8]
    assert timeline.subtitles == SAID


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torchcodec", "decord"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_other_decoders_tell_the_same(subtitled, backend):
    try:
        build(backend)
    except BadVariantError as error:
        pytest.skip(error.message)
    assert pool(subtitled("again.mkv", "-c:s", "srt"), backend) == ([0, 3, 5, 8], SAID)


@pytest.mark.slow
def test_the_default_track_is_read_and_one_that_only_translates_signs_is_not(subtitled):
    film = subtitled("plain.mkv", "-c:s", "srt")
    folder = film.parent
    (folder / "signs.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nEXIT\n")
    both = ("-i", film, "-i", folder / "signs.srt", "-map", "0:v", "-map", "1", "-map", "0:s", "-c", "copy")
    ffmpeg(*both, "-disposition:s:0", "forced", "-disposition:s:1", 0, folder / "forced.mkv")
    ffmpeg(*both, "-disposition:s:0", "default", "-disposition:s:1", 0, folder / "default.mkv")

    assert pool(folder / "forced.mkv")[1] == SAID
    assert [one.text for one in pool(folder / "default.mkv")[1]] == ["EXIT"]


@pytest.mark.slow
def test_damaged_subtitles_cost_no_film(subtitled):
    film = subtitled("damaged.mkv", "-c:s", "srt")
    data = film.read_bytes()
    assert data.count(b"squirrel") == 1
    film.write_bytes(data.replace(b"squirrel", b"\xff\xfe\x00\xff\xff\xff\xff\xff"))

    assert pool(film) == ([0, 3, 5, 8], SAID[1:])


@pytest.mark.slow
def test_pictures_that_all_stand_alone_are_all_key_frames(tmp_path):
    encode(tmp_path / "still.mkv", range(40), 8, "-c:v", "mjpeg")

    assert pool(tmp_path / "still.mkv") == ([0, 1, 2, 3, 4], ())
