"""What people send in place of a video, and what they read then."""

import errno
import io
import os

import av
import numpy as np
import pytest
from films.making import H264, encode, gif, join
from films.reading import decode
from PIL import Image

from pitwall_runtime.errors import MediaTooLargeError, NotAVideoError
from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.libav.files.diagnosis import why_unreadable

PACKET_BYTES = 188


def still():
    kept = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(kept, "JPEG")
    return kept.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist", id="concat"),
        pytest.param(still(), "still picture, no video", id="jpeg"),
        pytest.param(still() * 3, "still picture, no video", id="a photo with a preview and what it is lit by"),
        pytest.param(bytes(10_000), "only zeros", id="zeros"),
        pytest.param(b"\0\0\0\x18stypmsdh" + bytes(500), r"one segment of a film .* \(init\)", id="segment"),
        pytest.param(b"\x00\x00\x00\x18ftypmp42" + bytes(500), r"its index \(moov\) is missing", id="no-index"),
        pytest.param(
            b"YUV4MPEG2 W96 H0 F25:1 Ip\n", "raw video .YUV4MPEG2, .y4m. whose first line", id="y4m-of-no-size"
        ),
        pytest.param(b"YUV4MPEG2 W96 H54 F25:1 C999\n", "raw video .YUV4MPEG2", id="y4m-of-no-kind"),
        pytest.param(b"YUV4MPEG2 " + b"x" * 300, "raw video .YUV4MPEG2", id="y4m-without-a-line"),
        pytest.param(np.random.default_rng(1).bytes(50_000), "no video can be read from this file", id="noise"),
        pytest.param(b"These are notes, not a film.\n" * 50, "send an MP4, WebM, MKV or MOV file", id="text"),
    ],
)
def test_what_is_no_video_is_named(tmp_path, content, words):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(NotAVideoError, match=words) as told:
        decode(path, PoolSpec(), lambda _: None)
    assert not [number for number in errno.errorcode if os.strerror(number) in told.value.message]
    assert "Invalid data" not in told.value.message


def test_a_file_that_has_gone_is_told_in_our_words(tmp_path):
    assert why_unreadable(tmp_path / "film.mp4").startswith("the video cannot be read; check that it is still there")


def test_joined_mxfs_which_ffmpeg_refuses_are_called_that(tmp_path):
    path = tmp_path / "joined.mxf"
    join(path, *(lambda out, part=part: encode(out, part, 25, "-c:v", "mpeg2video") for part in (range(50), range(20))))
    with pytest.raises(NotAVideoError, match=r"begins as an MXF, .* joined byte by byte"):
        decode(path, PoolSpec(), lambda _: None)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_one_picture_is_a_still_picture_and_two_are_a_film(tmp_path, kind):
    path = tmp_path / "picture"
    first, second = (Image.new("RGB", (64, 64), color) for color in ("red", "blue"))
    first.save(path, kind)
    with pytest.raises(NotAVideoError, match="still picture"):
        decode(path, PoolSpec(), lambda _: None)

    first.save(path, kind, save_all=True, append_images=[second], duration=1000)
    frames = []
    decode(path, PoolSpec(), frames.append)
    assert len(frames) == 2


@pytest.mark.parametrize(
    "begins",
    [
        pytest.param(b"ID3\4\0\0", id="MP3"),
        pytest.param(b"fLaC\0", id="FLAC"),
        pytest.param(b"RIFF\0\0\0\1WAVE", id="WAV"),
    ],
)
def test_a_song_is_called_that_in_other_containers_too(tmp_path, begins):
    path = tmp_path / "song"
    path.write_bytes(begins + bytes(5000))
    with pytest.raises(NotAVideoError, match="no moving pictures"):
        decode(path, PoolSpec(), lambda _: None)


@pytest.mark.parametrize("side", [pytest.param(7000, id="large"), pytest.param(16_000, id="too large for Pillow")])
def test_a_webp_beyond_the_limit_is_told_it(tmp_path, side):
    path = tmp_path / "large.webp"
    gif(path, (100, 100))
    content = bytearray(path.read_bytes())
    at = content.index(b"VP8X") + 12
    content[at : at + 6] = 2 * (side - 1).to_bytes(3, "little")
    path.write_bytes(content)
    with pytest.raises(MediaTooLargeError, match=r"limit (is|of) 8192×4320.* scale it down"):
        decode(path, PoolSpec(), lambda _: None)


def test_a_song_with_a_cover_holds_no_moving_pictures(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound, cover = container.add_stream("aac", rate=44100), container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = cover.disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
        container.mux(cover.encode(av.VideoFrame(64, 64, "yuvj420p")))
        container.mux(cover.encode())
    with pytest.raises(NotAVideoError, match="no moving pictures"):
        decode(path, PoolSpec(), lambda _: None)


def test_an_encrypted_film_is_called_that(tmp_path):
    path = tmp_path / "drm.mp4"
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    encrypted = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    encode(path, range(50), 25, *H264, *encrypted)
    with pytest.raises(NotAVideoError, match="encrypted"):
        decode(path, PoolSpec(), lambda _: None)


def pay_tv(path, clear):
    """A broadcast of which this share is sent in the clear, and the rest scrambled."""
    encode(path, range(100), 25, *H264, "-b:v", "2M", "-vf", "noise=alls=40:allf=t", "-mpegts_flags", "resend_headers")
    packets = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, PACKET_BYTES).copy()
    of_film = np.flatnonzero((packets[:, 1] & 0x1F == 1) & (packets[:, 2] == 0))
    noise = np.random.default_rng(1)
    for number in of_film[int(len(of_film) * clear) :]:
        packet = packets[number]
        begin = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        packet[3] |= 0x80
        packet[begin:] ^= noise.integers(0, 256, PACKET_BYTES - begin, np.uint8)
    path.write_bytes(packets.tobytes())


@pytest.mark.parametrize("clear", [0, 0.3], ids=["all of it", "most of it"])
def test_pay_tv_is_called_encrypted(tmp_path, clear):
    path = tmp_path / "pay.ts"
    pay_tv(path, clear)
    with pytest.raises(NotAVideoError, match="encrypted"):
        decode(path, PoolSpec(), lambda _: None)


def test_where_a_broadcast_begins_to_be_encrypted_is_told(tmp_path):
    path = tmp_path / "pay.ts"
    pay_tv(path, 0.7)
    timeline = decode(path, PoolSpec(), lambda _: None)
    end = float(timeline.end_pts * timeline.time_base)
    assert timeline.damage[-1].end_seconds == pytest.approx(end, abs=0.1)
