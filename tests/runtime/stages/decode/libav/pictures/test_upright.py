"""Pictures stand upright and as dark as people see them, held against ffmpeg's own."""

import struct

import av
import numpy as np
import pytest
from films.making import encode, ffmpeg, film, turned
from films.numbered import picture, read
from films.reading import decode
from PIL import Image, ImageOps

from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.libav.pictures import tone
from pitwall_runtime.stages.decode.libav.pictures.upright import size_of

TURNS = {
    "not at all": (1, 0, 0, 1),
    "a quarter": (0, 1, -1, 0),
    "half": (-1, 0, 0, -1),
    "three quarters": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down in a mirror": (1, 0, 0, -1),
    "a quarter, mirrored": (0, 1, 1, 0),
    "three quarters, mirrored": (0, -1, -1, 0),
}


def first_frame(path, height=240):
    frames = []
    decode(path, PoolSpec(60, height), frames.append)
    return frames[0].image


@pytest.mark.parametrize("name", TURNS)
def test_all_eight_ways_to_hold_a_camera_look_as_ffmpeg_shows_them(tmp_path, name):
    path = tmp_path / "turned.mp4"
    film(1)(path)
    turned(path, TURNS[name])
    ours = first_frame(path)
    high, wide = ours.shape[:2]
    theirs = ffmpeg(
        "-i", path, "-frames:v", 1, "-vf", f"scale={wide}:{high}", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"
    )
    theirs = np.frombuffer(theirs, np.uint8).reshape(high, wide, 3)

    assert (wide > high) == (name.split(",")[0] not in ("a quarter", "three quarters"))
    assert np.abs(ours.astype(int) - theirs).mean() < 4  # ffmpeg turns first and scales then


@pytest.mark.parametrize("broken_first", [False, True])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_vp9_is_turned_though_its_decoder_hears_nothing_of_the_container(tmp_path, suffix, broken_first):
    film, path = tmp_path / f"film.{suffix}", tmp_path / f"turned.{suffix}"
    encode(film, range(50), 25, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-g", 25)
    with av.open(str(film)) as source, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for number, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            one = av.Packet(b"\xff" * 100) if broken_first and not number else packet
            one.pts, one.dts, one.time_base, one.duration = packet.pts, packet.dts, packet.time_base, packet.duration
            one.stream, one.is_keyframe = stream, packet.is_keyframe
            made.mux(one)
    frames = []
    decode(path, PoolSpec(60, 240), frames.append)

    seen = [read(np.ascontiguousarray(np.rot90(frame.image, -1))) for frame in frames]
    assert [one.number for one in seen] == ([25] if broken_first else [0, 25])


EXIF_MAKE, EXIF_ORIENTATION = 0x010F, 0x0112
HELD = (None, *range(10))
"""What a photo may say of how its camera was held; 0 and 9 mean nothing."""


@pytest.mark.parametrize("suffix", ["mov", "mkv", "avi", "mp4", "mjpg"])
def test_photos_stand_as_their_camera_was_held(tmp_path, suffix):
    """As time lapses and slide shows are made of them: ffmpeg takes each photo as it is, with all that it says."""
    _photograph(tmp_path, "jpg")
    path, frames = tmp_path / f"photos.{suffix}", []
    ffmpeg("-framerate", 25, "-i", tmp_path / "%d.jpg", "-c", "copy", path)
    timeline = decode(path, PoolSpec(25 * 60), frames.append)
    theirs = [np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / f"{n}.jpg"))) for n in range(len(HELD))]

    assert timeline.damage == ()
    assert [frame.image.shape for frame in frames] == [image.shape for image in theirs]
    assert max(np.abs(frame.image.astype(int) - image).mean() for frame, image in zip(frames, theirs, strict=True)) < 2


@pytest.mark.parametrize("codec", ["copy", "tiff"])
def test_pictures_that_tell_of_their_camera_are_shown(tmp_path, codec):
    _photograph(tmp_path, "png")
    path, frames = tmp_path / "pictures.mov", []
    ffmpeg("-framerate", 25, "-i", tmp_path / "%d.png", "-frames:v", 2, "-c:v", codec, path)
    timeline = decode(path, PoolSpec(25 * 60), frames.append)

    assert timeline.damage == ()
    assert [read(frame.image).number for frame in frames] == [0, 1]


def _photograph(folder, kind):
    """A picture for each way to hold a camera."""
    for number, orientation in enumerate(HELD):
        exif = Image.Exif()
        exif[EXIF_MAKE] = "Canon"
        if orientation is not None:
            exif[EXIF_ORIENTATION] = orientation
        Image.fromarray(picture(number, 160, 90)).save(folder / f"{number}.{kind}", exif=exif, quality=92)


PQ, HLG = ("smpte2084", 247), ("arib-std-b67", 166)
"""FFmpeg's name of a transfer, and how bright the wedge's end is."""


@pytest.mark.parametrize(
    ("suffix", "codec", "transfer"),
    [
        pytest.param("mp4", "libx265", PQ, id="HEVC, PQ"),
        pytest.param("mp4", "libx265", HLG, id="HEVC, HLG"),
        pytest.param("webm", "libvpx-vp9", PQ, id="VP9, PQ"),
        pytest.param("mp4", "libvpx-vp9", HLG, id="VP9 in MP4, HLG"),
    ],
)
def test_high_dynamic_range_is_as_bright_as_in_ffmpegs_tone_mapping(tmp_path, suffix, codec, transfer):
    """A grey wedge up to three quarters of the code: highlights of 1000 cd/m² in PQ, paper white in HLG."""
    path, (name, brightest) = tmp_path / f"hdr.{suffix}", transfer
    tags = ("-color_primaries", "bt2020", "-color_trc", name, "-colorspace", "bt2020nc")
    wedge = "color=s=256x64:d=1:r=5,format=yuv420p10le,geq=lum='64+876*0.75*X/W':cb=512:cr=512"
    quiet = ("-x265-params", "log-level=error") if codec == "libx265" else ("-deadline", "realtime", "-cpu-used", 8)
    ffmpeg("-f", "lavfi", "-i", wedge, "-c:v", codec, *quiet, *tags, "-pix_fmt", "yuv420p10le", path)
    mapped = (
        "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0:peak=4.926,"
        "zscale=t=bt709:m=bt709:r=tv,format=rgb24"
    )
    theirs = ffmpeg("-i", path, "-frames:v", 1, "-vf", mapped, "-f", "rawvideo", "-")
    theirs = np.frombuffer(theirs, np.uint8).reshape(64, 256, 3)[32].mean(1)
    ours = first_frame(path)[32].mean(1)

    assert (np.diff(ours) >= -1).all()
    assert np.abs(ours - theirs).mean() < 16
    assert ours[:8].mean() < 8
    assert ours[-8:].mean() == pytest.approx(brightest, abs=5)


@pytest.mark.parametrize("transfer", [tone.PQ, tone.HLG])
def test_tone_mapping_keeps_grey_grey_and_colours_their_hue(transfer):
    grey = np.repeat(np.linspace(0, 65535, 64, dtype=np.uint16)[None, :, None], 3, axis=2)
    mapped = tone.to_sdr(grey, transfer)
    assert np.ptp(mapped.astype(int), axis=-1).max() <= 1
    assert mapped[0, 0].max() == 0
    assert mapped[0, -1].min() == 255
    red = np.zeros((1, 1, 3), np.uint16)
    red[..., 0] = 30_000
    assert tone.to_sdr(red, transfer)[0, 0].argmax() == 0


def test_interlaced_motion_has_no_comb(tmp_path):
    """A bar that moves eight pixels a field: its edge is torn in every second line before, and not after."""
    path, size = tmp_path / "fields.ts", (320, 240)
    numbers = range(100)

    def fields(number):
        image = np.full((size[1], size[0], 3), 30, np.uint8)
        at = 20 + number * 8 % 200
        image[:, at : at + 60] = 220
        return image.tobytes()

    tear = (
        "-vf",
        "tinterlace=interleave_top,setfield=tff",
        "-c:v",
        "mpeg2video",
        "-b:v",
        "8M",
        "-flags",
        "+ildct+ilme",
    )
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x240", "-r", 50, "-i", "-", *tear, path,
        pixels=map(fields, numbers),
    )  # fmt: skip
    image = first_frame(path).astype(int)[8:-8].mean(2)
    comb = np.abs(image[1:-1] - (image[:-2] + image[2:]) / 2)
    assert (comb > 40).mean() < 0.01


def test_pictures_that_change_their_size_are_scaled_each_to_the_pools_height(tmp_path):
    path = tmp_path / "wide.mp4"
    encode(path, range(25), 25, "-vf", "setsar=2", "-c:v", "libx264", "-pix_fmt", "yuv420p", size=(640, 480))
    image = first_frame(path, height=120)
    assert image.shape == (120, 320, 3)
    assert read(image).aspect == pytest.approx(8 / 3, rel=0.03)
    assert np.abs(image[::4, ::8].astype(int) - picture(0, 40, 30)).mean() < 12


@pytest.mark.parametrize(
    ("pixels", "shape"),
    [
        pytest.param((3, 1), (120, 480, 3), id="wide pixels, as a broadcast may have"),
        pytest.param((1, 3), (120, 54, 3), id="high ones"),
        pytest.param((300, 1), (120, 160, 3), id="wider than there are"),
        pytest.param((1, 300), (120, 160, 3), id="higher than there are"),
        pytest.param((0xFFFF_FFFF, 1), (120, 160, 3), id="below zero"),
        pytest.param((2**31 - 1, 1), (120, 160, 3), id="as wide as can be written"),
        pytest.param((0, 0), (120, 160, 3), id="none"),
    ],
)
def test_pixels_that_are_of_no_shape_known_are_square(tmp_path, pixels, shape):
    path = tmp_path / "pixels.mp4"
    film(1, 25, "-vf", "setsar=1")(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"pasp") + 4
    data[at : at + 8] = struct.pack(">II", *pixels)
    path.write_bytes(data)
    assert first_frame(path, height=120).shape == shape


@pytest.mark.parametrize(
    ("wide", "high", "height", "size"),
    [
        (7680, 1080, 1080, (4096, 576)),
        (16384, 128, 240, (4096, 64)),
        (128, 16384, 240, (4, 240)),
        (320, 1, 240, (320, 5)),
        (1, 240, 240, (4, 240)),
        (1, 1, 240, (2, 2)),
        (1920, 1080, 240, (426, 240)),
    ],
)
def test_no_side_is_longer_than_any_may_be_nor_much_longer_than_the_other(wide, high, height, size):
    assert size_of(wide, high, height) == size
