"""A recording whose pictures go on in another codec or program: what is missing is told, in words where it is most."""

import pytest
from films.making import H264, encode, ffmpeg, join
from films.pools import pool

from pitwall_runtime.errors import MediaBrokenError
from pitwall_runtime.stages.decode.libav.losses.broadcasts.programs import codec_change

pytestmark = pytest.mark.slow
MPEG2 = ("-c:v", "mpeg2video", "-q:v", 2, "-bf", 2)
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
FILLED = (*H264, "-b:v", "1M", "-maxrate", "1M", "-bufsize", "1M", "-x264-params", "nal-hrd=cbr")
"""As broadcasters do it: of drawings alone there would be little to read."""
SIZE = (640, 480)


@pytest.fixture
def recording(tmp_path):
    """Four seconds of one codec, and some of another in packets of a number of their own, if it is another."""

    def record(before, after, count=100, number=256, program=1):
        path = tmp_path / "recording.ts"
        later = ("-streamid", f"0:{number}", "-output_ts_offset", 4, "-mpegts_service_id", program)
        join(
            path,
            lambda out: encode(out, range(100), 25, *before, size=SIZE),
            lambda out: encode(out, range(100, 100 + count), 25, *after, *later, size=SIZE),
        )
        return path

    return record


@pytest.mark.parametrize("number", [256, 512])
@pytest.mark.parametrize(("before", "after"), [(MPEG2, H264), (H264, HEVC)], ids=["MPEG-2, H.264", "H.264, HEVC"])
def test_a_change_of_codec_is_told(recording, before, after, number):
    timeline, numbers = pool(recording(before, after, 75, number))

    assert timeline.damage[-1].start_seconds == pytest.approx(4, abs=0.2)
    assert timeline.damage[-1].end_seconds == pytest.approx(7, abs=0.2)
    assert {second: numbers[second] for second in range(4)} == {0: 0, 1: 25, 2: 50, 3: 75}


def test_where_most_is_behind_it_the_refusal_names_both(recording):
    with pytest.raises(MediaBrokenError, match=r"another codec \(HEVC behind H\.264\)"):
        pool(recording(H264, HEVC, 150, 512))


@pytest.mark.parametrize("codec", [MPEG2, FILLED], ids=["MPEG-2", "H.264"])
def test_another_channels_program_of_the_same_codec_is_told(recording, codec):
    timeline, numbers = pool(recording(codec, codec, 75, 512, program=7))

    assert [one.start_seconds for one in timeline.damage] == [pytest.approx(4, abs=0.2)]
    assert timeline.damage[-1].end_seconds == pytest.approx(7, abs=0.2)
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75}


def test_another_channel_in_the_middle_is_told_though_nothing_else_says_that_something_is_lost(tmp_path):
    """It was taken for a picture that is held."""
    path, silent = tmp_path / "recording.ts", ("-mpegts_flags", "+initial_discontinuity")
    other = ("-mpegts_service_id", 7, "-mpegts_pmt_start_pid", 512, "-mpegts_start_pid", 768)
    join(
        path,
        *(
            lambda out, begin=begin, more=more: encode(
                out, range(begin, begin + 100), 25, *H264, "-output_ts_offset", 1000 + begin / 25, *more, size=SIZE
            )
            for begin, more in ((0, ()), (100, other), (200, silent))
        ),
    )
    timeline, numbers = pool(path)

    assert [(one.start_seconds, one.end_seconds) for one in timeline.damage] == [pytest.approx((4, 8), abs=0.2)]
    assert numbers == {second: 25 * second for second in (0, 1, 2, 3, 8, 9, 10, 11)}


def test_where_most_is_of_another_channel_the_refusal_says_so(recording):
    with pytest.raises(MediaBrokenError, match="goes on in another channel's program"):
        pool(recording(MPEG2, MPEG2, 150, 512, program=7))


def test_another_program_in_the_same_packets_is_one_film(recording):
    _, numbers = pool(recording(MPEG2, MPEG2, 75, 256, program=7))

    assert numbers == pytest.approx({second: 25 * second for second in range(7)}, abs=1)


def test_pictures_that_go_on_in_other_packets_of_the_same_codec_are_no_change(recording):
    assert codec_change(str(recording(H264, H264, 50, 512)), 256, 0) is None


def test_programs_that_are_sent_beside_the_film_do_not_follow_it(tmp_path):
    path = tmp_path / "multiplex.ts"
    sources = [part for size in (320, 160, 160, 160, 160)
               for part in ("-f", "lavfi", "-i", f"testsrc2=s={size}x{size * 3 // 4}:d=2")]  # fmt: skip
    programs = [part for number in range(5) for part in ("-map", number, "-program", f"st={number}")]
    ffmpeg(*sources, *programs, "-c:v", "mpeg2video", "-c:v:0", "libx264", "-pix_fmt", "yuv420p", path)

    assert codec_change(str(path), 256, 0) is None


def test_how_long_the_other_codec_lasts_is_told_by_a_clock_of_its_own(tmp_path):
    path = tmp_path / "recording.ts"
    later = ("-streamid", "0:512", "-output_ts_offset", 40_000)
    join(
        path,
        lambda out: encode(out, range(100), 25, *MPEG2, size=SIZE),
        lambda out: encode(out, range(100, 175), 25, *H264, *later, size=SIZE),
    )
    timeline, numbers = pool(path)

    assert timeline.damage[-1].end_seconds == pytest.approx(7, abs=0.2)
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75}
