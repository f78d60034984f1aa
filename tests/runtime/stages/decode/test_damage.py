"""A damaged copy is never shown as if it were whole, and a whole one never called damaged."""

import struct

import av
import pytest
from films.making import H264, at_times, encode, every, ffmpeg, hollow
from films.pools import RANDOM_KINDS, pool, untold

from pitwall_runtime.errors import MediaTooLargeError
from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.port import Limits
from pitwall_runtime.stages.decode.process import decode

pytestmark = pytest.mark.slow
CONTAINERS = pytest.mark.parametrize(
    ("suffix", "options"),
    [
        pytest.param("mp4", (*H264, "-g", 50, "-movflags", "+faststart"), id="mp4"),
        pytest.param("ts", (*H264, "-g", 50), id="ts"),
        pytest.param("mkv", (*H264, "-g", 50), id="mkv"),
        pytest.param("webm", ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", 8, "-g", 50), id="webm"),
    ],
)


@CONTAINERS
def test_zeros_in_the_middle_are_told_and_everything_else_is_right(tmp_path, suffix, options):
    path = tmp_path / f"hole.{suffix}"
    encode(path, range(500), 25, *options)
    hollow(path, 0.4, 0.7)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    lost = sum(one.end_seconds - one.start_seconds for one in timeline.damage)
    assert 3 < lost < 14
    assert [second for second in range(6) if second not in numbers] == []
    assert 18 in numbers


@CONTAINERS
def test_a_loss_right_behind_a_key_frame_is_told(tmp_path, suffix, options):
    """The key frame is still in the decoder when the file goes on behind the loss: it ends no suspicion."""
    path = tmp_path / f"behind.{suffix}"
    encode(path, range(500), 25, *options)
    with av.open(str(path)) as film:
        keys = [packet for packet in film.demux(video=0) if packet.is_keyframe and packet.pts and packet.size]
        begin = keys[4].pos + keys[4].size
    size = path.stat().st_size
    hollow(path, begin / size, begin / size + 0.25)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert 3 < sum(one.end_seconds - one.start_seconds for one in timeline.damage) < 9


@pytest.mark.parametrize("whole_share", [0.3, 0.7])
def test_of_a_picture_whose_end_is_lost_all_is_told_until_the_next_key_frame(tmp_path, whole_share):
    """The decoder complains when pictures later were sent, and shows earlier ones after that: the key picture itself
    ends no suspicion."""
    path = tmp_path / "end.mp4"
    suffix, options = RANDOM_KINDS["hevc"]
    assert path.suffix == f".{suffix}"
    encode(path, range(250), 25, *options)
    with av.open(str(path)) as film:
        keys = [packet for packet in film.demux(video=0) if packet.is_keyframe and packet.size]
        pos, size, key_time = keys[2].pos, keys[2].size, float(keys[2].pts * keys[2].time_base)
    content, kept = bytearray(path.read_bytes()), int(size * whole_share)
    content[pos + kept : pos + size] = bytes(size - kept)
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert any(one.start_seconds <= key_time and one.end_seconds >= key_time + 1 for one in timeline.damage)
    assert [numbers[second] for second in (1, 2, 7, 8, 9)] == [25, 50, 175, 200, 225], "what is not near it"


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data, at: data[:at] + bytes(5000) + data[at + 5000 :], id="zeros"),
        pytest.param(lambda data, at: data[:at] + data[at + 5000 :], id="missing"),
        pytest.param(lambda data, at: data[:at] + data[at - 5000 :], id="twice"),
    ],
)
def test_an_avi_that_lost_some_pictures_shows_the_others_at_their_times_or_says_that_it_cannot(tmp_path, codec, damage):
    """Its clock is a count of pictures. Its index tells their numbers, unless they lie elsewhere than it says."""
    path = tmp_path / "lost.avi"
    encode(path, range(250), 25, "-c:v", codec, "-pix_fmt", "yuvj420p" if codec == "mjpeg" else "yuv420p", "-g", 50)
    whole = path.read_bytes()
    assert pool(path)[0].damage == ()
    path.write_bytes(damage(whole, len(whole) // 2))
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert timeline.damage != ()
    assert numbers[2] == 50


@pytest.mark.parametrize("from_picture", [0, 60])
def test_what_a_camera_writes_into_every_picture_is_no_damage(tmp_path, from_picture):
    """Pictures whose last rows are never written: players show the others, a strict decoder complains."""
    path, odd = tmp_path / "film.avi", tmp_path / "odd.avi"
    encode(path, range(100), 25, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    with av.open(str(path)) as film, av.open(str(odd), "w") as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(packet for packet in film.demux(video=0) if packet.size):
            content = bytes(packet)
            written = av.Packet(content[:-20] + b"\xff\xd9" if number >= from_picture else content)
            written.pts = written.dts = packet.pts
            written.time_base, written.stream, written.is_keyframe = packet.time_base, stream, True
            out.mux(written)
    timeline, numbers = pool(odd)

    assert bool(timeline.damage) == bool(from_picture), "where it begins in mid-film it is told"
    assert untold(timeline, numbers) == []
    assert numbers[1] == 25


def test_smeared_pictures_are_told(tmp_path):
    path = tmp_path / "film.avi"
    encode(path, range(100), 25, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    content = bytearray(path.read_bytes())
    for at in range(len(content) // 4, len(content) // 2, 97):
        content[at] ^= 16
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert timeline.damage[0].start_seconds < 1.5
    assert untold(timeline, numbers) == []
    assert (numbers[0], numbers[3]) == (0, 75)


def test_lost_packets_of_a_broadcast_are_told(tmp_path):
    path = tmp_path / "lost.ts"
    encode(path, range(250), 25, *H264, "-g", 50)
    packets = path.read_bytes()
    begin = len(packets) // 188 // 2 * 188
    path.write_bytes(packets[:begin] + packets[begin + 188 * 40 :])
    timeline, numbers = pool(path)

    assert timeline.damage != ()
    assert untold(timeline, numbers) == []


@pytest.mark.parametrize(("suffix", "options"), [("ts", (*H264, "-g", 50)), ("mpg", ("-c:v", "mpeg2video"))])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_what_a_recording_holds_twice_shifts_nothing(tmp_path, suffix, options, share):
    """Its clock goes back, but it is no new recording."""
    path = tmp_path / f"twice.{suffix}"
    encode(path, range(250), 25, *options)
    content = path.read_bytes()
    at = int(len(content) * share)
    path.write_bytes(content[:at] + content[at - 5000 :])
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert numbers[9] == 225
    assert timeline.end_pts * timeline.time_base == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_data_that_end_before_their_picture_are_told(tmp_path, codec):
    """No decoder of FFmpeg's own says a word about them."""
    path = tmp_path / "film.webm"
    encode(path, range(250), 25, "-c:v", codec, "-deadline", "realtime", "-cpu-used", 8, "-g", 50)
    with av.open(str(path)) as film:
        packets = [packet for packet in film.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for packet in [packet for packet in packets[110:140] if packet.size > 64][:3]:
        middle = packet.pos + packet.size // 2
        content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert [4.3 < one.start_seconds < 5.3 for one in timeline.damage[:1]] == [True]
    assert timeline.damage[-1].end_seconds <= 6.1, "the next key frame ends it"
    assert untold(timeline, numbers) == []


def test_a_block_whose_size_is_wrong_is_told_with_the_one_that_swallows_it(tmp_path):
    path = tmp_path / "film.webm"
    encode(path, range(250), 25, "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", 8, "-g", 50)
    with av.open(str(path)) as film:
        torn = [packet for packet in film.demux(video=0) if packet.size][120]
    content = bytearray(path.read_bytes())
    size_at = content.rindex(b"\xa3", 0, torn.pos) + 1
    content[size_at : torn.pos] = (0x4000 + torn.size + 90).to_bytes(2)[-(torn.pos - size_at) :]
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert timeline.damage[0].start_seconds == pytest.approx(4.8, abs=0.05)


@pytest.mark.parametrize("is_sized", [True, False])
@pytest.mark.parametrize("lost", [0, 1])
def test_padding_behind_a_film_is_no_damage_but_what_lies_in_place_of_its_end_is(tmp_path, is_sized, lost):
    """Writers round the length that they declare otherwise than the times of pictures."""
    path = tmp_path / "padded.mkv"
    encode(path, range(100), 25, *H264, "-g", 50)
    with av.open(str(path)) as film:
        last = max(packet.pos for packet in film.demux(video=0) if packet.size)
    content = bytearray(path.read_bytes())
    length_at, segment_at = content.index(b"\x44\x89\x88") + 3, content.index(b"\x18\x53\x80\x67") + 4
    content[length_at : length_at + 8] = struct.pack(">d", 4001)
    if not is_sized:
        content[segment_at : segment_at + 8] = b"\x01" + b"\xff" * 7
    if lost:
        content[last - 2 :] = bytes(len(content) - last + 2)
    path.write_bytes(content + bytes(512))
    timeline, numbers = pool(path)

    assert len(timeline.damage) == lost
    assert untold(timeline, numbers) == []


def test_a_picture_without_its_beginning_is_told(tmp_path):
    """A decoder of MPEG-4 paints what changes onto nothing."""
    path = tmp_path / "film.avi"
    encode(path, range(250), 25, "-c:v", "mpeg4", "-g", 50)
    content = path.read_bytes()
    begin = content.index(b"00dc", content.index(b"movi"))
    path.write_bytes(content[:begin] + bytes(500) + content[begin + 500 :])
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert timeline.damage[0].start_seconds == 0
    assert numbers[9] == pytest.approx(225, abs=2)


def test_a_long_loss_is_no_new_clock(tmp_path):
    """A jump of the clock by more than ten seconds is taken for a new recording, unless as much of the file is gone."""
    path = tmp_path / "ruin.ts"
    encode(path, range(1000), 25, *H264, "-g", 25)
    hollow(path, 0.05, 0.45)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    [lost] = timeline.damage
    assert 14 < lost.end_seconds - lost.start_seconds < 20
    assert timeline.end_pts * timeline.time_base == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_slides_that_are_held_are_no_damage(tmp_path, suffix):
    path = tmp_path / f"slides.{suffix}"
    frames = every(60, 40) + [(60 + n, 2400 + 3000 * n) for n in range(5)]
    at_times(path, "libx264", [((320, 240), frames)], last=3000, options={"bf": "0"})
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert [numbers[second] for second in (3, 5, 6, 8, 9, 11)] == [60, 60, 61, 61, 62, 62]


@pytest.mark.parametrize(
    ("twice", "told"),
    [
        pytest.param((30, 40), [], id="a writer's slips"),
        pytest.param(range(60, 78, 3), [(2, 10)], id="a table that is wrong"),
    ],
)
def test_a_few_times_that_two_pictures_have_are_no_damage(tmp_path, twice, told):
    path = tmp_path / "film.mp4"
    encode(tmp_path / "right.mp4", range(250), 25, *H264, "-g", 25, "-bf", 2)
    with av.open(str(tmp_path / "right.mp4")) as right, av.open(str(path), "w") as film:
        stream = film.add_stream_from_template(right.streams.video[0])
        for packet in [packet for packet in right.demux(video=0) if packet.size]:
            tick = round(1 / packet.time_base / 25)
            packet.pts += tick if packet.pts // tick in twice else 0
            packet.stream = stream
            film.mux(packet)
    timeline, _ = pool(path)

    assert [(one.start_seconds, one.end_seconds) for one in timeline.damage] == told


def test_a_lost_beginning_is_told_and_does_not_shift_the_rest(tmp_path):
    path = tmp_path / "head.mp4"
    encode(path, range(250), 25, *H264, "-g", 25, "-movflags", "+faststart")
    content = bytearray(path.read_bytes())
    pictures = content.index(b"mdat") + 4
    size = (len(content) - pictures) // 5
    content[pictures : pictures + size] = bytes(size)
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert timeline.damage[0].start_seconds == 0
    assert untold(timeline, numbers) == []
    assert {8.0, 9.0} <= set(numbers)


def test_a_decoding_that_needs_more_memory_than_its_limit_is_refused_in_words(tmp_path):
    path = tmp_path / "large.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=7680x4320:d=2:r=2", *H264, path)
    with pytest.raises(MediaTooLargeError, match=r"some \d+ MiB, than the limit of 160 MiB .* --decode-bytes"):
        decode(path, PoolSpec(), lambda _: None, limits=Limits(memory_bytes=160 << 20))
