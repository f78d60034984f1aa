"""An AVI without its index, as a recorder leaves it that lost its power: what is there is right, the end is told."""

import pytest
from films.making import TONE, encode, ffmpeg
from films.pools import pool, untold

from pitwall_runtime.errors import MediaBrokenError

pytestmark = pytest.mark.slow
CODECS = pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-c:v", "mpeg4", "-g", 50), id="mpeg4"),
        pytest.param(("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"), id="mjpeg"),
    ],
)
SOUND = (*TONE, "-shortest", "-c:a", "pcm_s16le")


@pytest.fixture
def recording(tmp_path):
    """Ten seconds with sound, of which a share of the bytes is kept."""

    def record(options, share):
        path = tmp_path / "recording.avi"
        encode(path, range(250), 25, *SOUND, *options)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return record


@CODECS
def test_of_a_recording_that_is_cut_off_the_missing_end_alone_is_told(recording, options):
    timeline, numbers = pool(recording(options, 0.6))

    [missing] = timeline.damage
    assert missing.start_seconds == pytest.approx(6, abs=0.6)
    assert missing.end_seconds == pytest.approx(10, abs=0.1)
    assert 0 <= timeline.end_pts * timeline.time_base - missing.start_seconds < 0.05, "of the picture that is cut"
    assert untold(timeline, numbers) == []
    assert [numbers[second] for second in range(5)] == [0, 25, 50, 75, 100]


@CODECS
def test_a_recording_of_which_less_than_half_is_left_is_refused_with_both_lengths(recording, options):
    with pytest.raises(MediaBrokenError, match="should last 10 s but only 4 s"):
        pool(recording(options, 0.4))


@CODECS
def test_bytes_that_are_missing_in_such_a_recording_make_the_rest_doubtful(recording, options):
    """Nothing tells how many pictures they were."""
    path = recording(options, 0.9)
    content = path.read_bytes()
    at = len(content) // 2
    path.write_bytes(content[:at] + content[at + 20_000 :])
    timeline, numbers = pool(path)

    assert timeline.damage[0].start_seconds == pytest.approx(4.5, abs=1)
    assert timeline.damage[-1].end_seconds == pytest.approx(10, abs=0.1)
    assert untold(timeline, numbers) == []
    assert numbers[3] == 75


@CODECS
def test_a_whole_recording_without_an_index_is_not_damaged(recording, options):
    path = recording(options, 1)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"idx1")])
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert [numbers[second] for second in range(10)] == [25 * second for second in range(10)]


@CODECS
def test_a_recording_that_was_written_into_a_pipe_ends_with_its_pictures(tmp_path, options):
    """Its header says a number of pictures that is none."""
    whole, path = tmp_path / "whole.mkv", tmp_path / "piped.avi"
    encode(whole, range(100), 25, *SOUND, *options)
    path.write_bytes(ffmpeg("-i", whole, "-c", "copy", "-f", "avi", "pipe:1"))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert timeline.end_pts * timeline.time_base == pytest.approx(4, abs=0.1)
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75}
