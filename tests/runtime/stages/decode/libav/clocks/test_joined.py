"""Recordings of one container that were joined byte by byte, or appended to each other, are one film."""

import av
import pytest
from films.making import H264, at_times, encode, ffmpeg, join
from films.pools import pool, untold

from pitwall_runtime.errors import MediaBrokenError

pytestmark = pytest.mark.slow
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", 8)
FLV_HEAD_BYTES = 13
PAUSES = [(0, 0), (1, 40), (2, 80), (3, 6000), (4, 6040), (5, 20_000)]


def part(numbers, options, **more):
    return lambda out: encode(out, numbers, 25, *options, **more)


def appended(out, first, second):
    """As recorders go on in a file that is there."""
    join(out, first)
    begun = out.read_bytes()
    join(out, second)
    out.write_bytes(begun + out.read_bytes()[FLV_HEAD_BYTES:])


@pytest.mark.parametrize(
    ("suffix", "options", "joined"),
    [
        pytest.param("mkv", (*H264, "-bf", 2), join, id="Matroska"),
        pytest.param("webm", VP8, join, id="WebM"),
        pytest.param("flv", (*H264, "-bf", 0), appended, id="FLV appended"),
    ],
)
def test_the_second_recording_goes_on_where_the_first_ends(tmp_path, suffix, options, joined):
    path = tmp_path / f"joined.{suffix}"
    joined(path, part(range(100), options), part(range(100, 200), options))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert [abs(numbers[second] - 25 * second) <= 1 for second in range(8)] == [True] * 8
    assert float(timeline.end_pts * timeline.time_base) == pytest.approx(8, abs=0.1)


def test_a_third_recording_which_ffmpeg_does_not_read_is_told_as_missing(tmp_path):
    path = tmp_path / "joined.mkv"
    join(path, *(part(range(100 * number, 100 * number + 100), (*H264, "-bf", 2)) for number in range(3)))
    timeline, numbers = pool(path)

    [missing] = timeline.damage
    assert missing.end_seconds == pytest.approx(8, abs=0.1)
    assert [abs(numbers[second] - 25 * second) <= 1 for second in range(8)] == [True] * 8


@pytest.mark.parametrize("kilobits", [300, 40_000], ids=["all of it", "its beginning"])
def test_what_ffmpeg_passes_over_of_joined_flvs_is_told_as_missing(tmp_path, kilobits):
    """Behind a signature it reads on some five MiB later."""
    path = tmp_path / "joined.flv"
    noise = ("-vf", "noise=alls=60:allf=t", "-b:v", f"{kilobits}k", "-g", 25) if kilobits > 1000 else ()
    join(path, part(range(100), H264), part(range(100, 200), (*H264, "-bf", 0, *noise), size=(640, 480)))
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    [missing] = timeline.damage
    assert missing.start_seconds == pytest.approx(4, abs=0.1)
    assert (missing.end_seconds < 7.5) == bool(noise)
    assert float(timeline.end_pts * timeline.time_base) == pytest.approx(8 if noise else 4, abs=0.1)


def test_a_second_recording_that_is_written_otherwise_is_told_as_missing(tmp_path):
    path = tmp_path / "joined.mkv"
    join(path, part(range(100), H264), part(range(100, 150), (*H264, "-bf", 0), size=(640, 480)))
    timeline, numbers = pool(path)

    [missing] = timeline.damage
    assert (missing.start_seconds, missing.end_seconds) == pytest.approx((4, 6), abs=0.1)
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75}


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        pytest.param("mp4", (*H264, "-bf", 2), id="MP4"),
        pytest.param("mov", (*H264, "-movflags", "+faststart"), id="MOV"),
        pytest.param("asf", ("-c:v", "wmv2"), id="ASF"),
        pytest.param("ivf", VP8, id="IVF"),
        pytest.param("apng", ("-c:v", "apng", "-pred", "none"), id="animated PNG"),
    ],
)
def test_recordings_of_which_the_first_alone_is_read_are_told_or_refused_in_words(tmp_path, suffix, options):
    path = tmp_path / f"joined.{suffix}"
    three, one = (part(numbers, options, size=(160, 90)) for numbers in (range(75), range(75, 100)))
    join(path, three, one)
    timeline, numbers = pool(path)

    assert [(one.start_seconds, one.end_seconds) for one in timeline.damage] == [pytest.approx((3, 4), abs=0.1)]
    assert numbers == {0: 0, 1: 25, 2: 50}

    join(path, one, three, three)
    with pytest.raises(MediaBrokenError, match=r"should last 7 s but only 1 s .* joined byte by byte"):
        pool(path)


def test_a_head_behind_an_mp4_without_a_film_is_no_recording(tmp_path):
    path = tmp_path / "head.mp4"
    encode(path, range(50), 25, *H264, size=(160, 90))
    content = path.read_bytes()
    path.write_bytes(content + content[: int.from_bytes(content[:4])])
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {0: 0, 1: 25}


def test_a_wrong_time_within_one_recording_is_no_other_recording(tmp_path):
    path = tmp_path / "film.mkv"
    encode(path, range(100), 25, *H264, "-g", 25, "-cluster_time_limit", 1000)
    content = bytearray(path.read_bytes())
    third = [at for at in range(len(content)) if content[at : at + 4] == b"\x1f\x43\xb6\x75"][2]
    time_at = content.index(b"\xe7", third)
    content[time_at + 2 : time_at + 2 + (content[time_at + 1] & 0x7F)] = bytes(content[time_at + 1] & 0x7F)
    path.write_bytes(content)
    timeline, _ = pool(path)

    assert timeline.damage != ()
    assert float(timeline.end_pts * timeline.time_base) == pytest.approx(4, abs=0.1)


def test_the_last_picture_of_a_whole_flv_is_held_as_long_as_it_says(tmp_path):
    source, path = tmp_path / "source.mkv", tmp_path / "held.flv"
    at_times(source, "libx264", [((320, 240), PAUSES)], last=5000, options={"bf": "0"})
    with av.open(str(source)) as film, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert list(numbers.values()) == [0, *[2] * 5, 3, *[4] * 13, *[5] * 5]

    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MediaBrokenError, match="should last 25 s"):
        pool(path)


def test_the_last_picture_of_an_flv_is_held_no_longer_where_the_first_is_decoded_early(tmp_path):
    """As with slides: the encoder decodes the first one seconds before it is shown, and lengths count from then on."""
    source, path = tmp_path / "source.mkv", tmp_path / "slides.flv"
    slides = [(number, 1000 * second) for number, second in enumerate((0, 2, 5, 6, 14, 15, 29, 30))]
    at_times(source, "libx264", [((320, 240), slides)], last=500)
    anew = ("-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-c:v", "libx264", "-bf", 3)
    ffmpeg("-i", source, *anew, path)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert 30 < timeline.end_pts * timeline.time_base < 31
    assert numbers[30] == 7


@pytest.mark.parametrize("pause", [0, 20])
@pytest.mark.parametrize("picture", [38, 41, 42, 43, 51])
def test_an_flv_that_says_again_what_it_is_shifts_nothing(tmp_path, picture, pause):
    """As live servers do, in the midst of pictures that are not in order, and behind a pause."""
    path = tmp_path / "live.flv"
    encode(path, range(100), 25, *H264, "-bf", 3, "-g", 50, "-flvflags", "no_duration_filesize")
    content = path.read_bytes()
    head, tags = content[:FLV_HEAD_BYTES], list(_tags(content))
    said = next(tag for tag in tags if tag[0] == SAYING)
    at = [number for number, tag in enumerate(tags) if tag[0] == SHOWING][picture]
    later = [_at(tag, pause) for tag in tags[at:]]
    path.write_bytes(b"".join([head, *tags[:at], said, *later]))
    with_words = pool(path)
    path.write_bytes(b"".join([head, *tags[:at], *later]))

    assert with_words == pool(path)


SAYING, SHOWING = 18, 9


def _tags(content):
    at = FLV_HEAD_BYTES
    while at < len(content):
        length = 11 + int.from_bytes(content[at + 1 : at + 4]) + 4
        yield content[at : at + length]
        at += length


def _at(tag, seconds):
    return tag[:4] + (int.from_bytes(tag[4:7]) + 1000 * seconds).to_bytes(3) + tag[7:]


THEORA = ("-c:v", "libtheora")


def test_an_oggs_further_recordings_are_shown_behind_it(tmp_path):
    path = tmp_path / "joined.ogv"
    parts = [range(100), range(100, 200), range(200, 250)]
    join(path, *(lambda out, part=part: encode(out, part, 25, *THEORA) for part in parts))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {second: 25 * second for second in range(10)}


@pytest.mark.parametrize(
    ("rate", "size"), [pytest.param(30, (320, 240), id="rate"), pytest.param(25, (640, 480), id="size")]
)
def test_an_oggs_further_recording_of_another_rate_or_size_is_told(tmp_path, rate, size):
    path = tmp_path / "joined.ogv"
    join(
        path,
        lambda out: encode(out, range(100), 25, *THEORA),
        lambda out: encode(out, range(100, 150), rate, *THEORA, size=size),
    )
    timeline, numbers = pool(path)

    assert numbers == {second: 25 * second for second in range(4)}
    assert [(one.start_seconds, one.end_seconds) for one in timeline.damage] == [pytest.approx((4, 6), abs=0.2)]


@pytest.mark.parametrize(
    ("suffix", "codec", "size"),
    [
        pytest.param("nut", H264, (320, 240), id="NUT"),
        pytest.param("rm", ("-c:v", "rv20"), (352, 288), id="RealMedia"),
        pytest.param("wtv", H264, (320, 240), id="WTV"),
    ],
)
def test_of_kinds_of_which_ffmpeg_reads_the_first_recording_the_others_are_told(tmp_path, suffix, codec, size):
    path = tmp_path / f"joined.{suffix}"
    parts = [range(100), range(100, 180)]
    join(path, *(lambda out, part=part: encode(out, part, 25, *codec, size=size) for part in parts))
    timeline, numbers = pool(path)

    assert {second: numbers[second] for second in range(4)} == {0: 0, 1: 25, 2: 50, 3: 75}
    assert [(one.start_seconds, one.end_seconds) for one in timeline.damage] == [pytest.approx((4, 7.2), abs=0.3)]


def test_raw_mpeg4_recordings_are_shown_one_behind_the_other(tmp_path):
    path = tmp_path / "joined.m4v"
    parts = [range(100), range(100, 180)]
    join(path, *(lambda out, part=part: encode(out, part, 25, "-c:v", "mpeg4", "-f", "m4v") for part in parts))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {second: 25 * second for second in range(8)}
