"""What a player shows of people's videos: a film each, and which picture is seen at every whole second."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from films.making import H264, TONE, Maker, at_times, dahua, encode, every, film, gif, join, remux, turned


@dataclass(frozen=True)
class Case:
    """A film, the number seen at each whole second, its end, and what else must hold.

    `slack`: frames by which a number may differ, where the clock itself was cut. `aspects`: (second, width by height).
    """

    suffix: str
    make: Maker
    numbers: Sequence[int]
    end: float
    slack: int = 0
    aspects: Sequence[tuple[int, float]] = ()


def at_rate(seconds: int, rate: int = 25) -> list[int]:
    return [rate * second for second in range(seconds)]


def _size_change_webm(out: Path) -> None:
    fast = {"deadline": "realtime", "cpu-used": "8"}
    at_times(out, "libvpx", [((320, 180), every(50, 40)), ((640, 360), every(50, 40, 50))], options=fast)


def _size_change_ts(out: Path) -> None:
    def second(part: Path) -> None:
        encode(part, range(50, 100), 25, *H264, "-output_ts_offset", 2, size=(240, 320))

    join(out, film(50), second)


def _aspect_change_ts(out: Path) -> None:
    """A broadcast that goes from 4:3 to 16:9 without changing its pixels."""

    def part(numbers: range, aspect: str, offset: float) -> Maker:
        more = ("-vf", f"setsar={aspect}", "-output_ts_offset", offset)
        return lambda out: encode(out, numbers, 25, *H264, *more, size=(720, 576))

    join(out, part(range(50), "16/15", 0), part(range(50, 100), "64/45", 2))


def _other_packets_ts(out: Path) -> None:
    """A recorder that changes channels, or an encoder that is started anew: the pictures go on under another PID."""

    def part(numbers: range, pid: int, offset: int) -> Maker:
        more = ("-streamid", f"0:{pid}", "-output_ts_offset", offset)
        return lambda out: encode(out, numbers, 25, *H264, *more)

    join(out, part(range(100), 256, 0), part(range(100, 150), 512, 4), part(range(150, 200), 300, 6))


def _audio_longer(out: Path) -> None:
    video = ("-c:v", "libvpx", "-deadline", "realtime") if out.suffix == ".webm" else ("-c:v", "copy")
    remux(out, film(100), *TONE, "-map", "0:v", "-map", "1:a", *video, "-c:a", "libvorbis")


def _late_picture(out: Path) -> None:
    before = (*TONE, "-itsoffset", 8)
    remux(out, film(100), "-map", 1, "-map", 0, "-c:v", "copy", "-c:a", "libvorbis", before=before)


def _copied(count: int, *options: object) -> Maker:
    return lambda out: remux(out, film(count, 25, "-bf", 3), "-c", "copy", *options)


def _slides(out: Path) -> None:
    at_times(out, "libx264", [((320, 240), [(0, 0), (1, 2000), (2, 5000)])], last=9_000, options={"bf": "0"})


def _held_slides(out: Path) -> None:
    """A screen recording: it moves for two seconds, then slides are held three seconds each. For how long the last one
    is held its header and its edit list say: the lengths of an MP4's pictures are distances in decoding order."""
    frames = [(n, round(n * 1000 / 30)) for n in range(60)] + [(60 + n, 2000 + 3000 * n) for n in range(6)]
    at_times(out, "libx264", [((320, 240), frames)], last=3000)


def _irregular(out: Path) -> None:
    frames = enumerate((0, 40, 900, 1050, 1100, 4500, 4600, 5200))
    at_times(out, "libx264", [((320, 240), list(frames))], last=300)


def _held_broadcast(*sound: object) -> Maker:
    """A camera that sends pictures when something moves."""
    frames = list(enumerate([0, 40, 80, 12_000, 12_040, 13_000, 26_000]))
    silent = partial(at_times, codec="libx264", parts=[((320, 240), frames)], options={"bf": "0"})
    return lambda out: remux(out, silent, *sound, "-c:v", "copy", "-c:a", "aac")


def _held_chunks(out: Path) -> None:
    """As capture programs write it: pictures that are held are chunks without bytes."""
    times = [0, 40, 80, 1000, 1040, 2000, 2040, 2080]
    remux(out, lambda part: at_times(part, "mpeg4", [((320, 240), list(enumerate(times)))], last=40,
                                     options={"bf": "0", "qscale": "3"}), "-c", "copy")  # fmt: skip


def _sixteen_b_frames(out: Path) -> None:
    fixed = ("-bf", 16, "-b_strategy", 0, "-sc_threshold", 0, "-x264-params", "b-pyramid=none:b-adapt=0")
    encode(out, range(60), 10, "-c:v", "libx264", "-pix_fmt", "yuv420p", *fixed, size=(160, 120))


def _thumbnail_first(out: Path) -> None:
    thumbnails = ("-f", "lavfi", "-i", "color=c=magenta:s=64x48:d=4:r=1")
    maps = ("-map", 1, "-map", 0, "-c:v:0", "mjpeg", "-pix_fmt:v:0", "yuvj420p", "-c:v:1", "copy")
    remux(out, film(100, size=(640, 480)), *thumbnails, *maps, "-disposition:v:0", 0, "-disposition:v:1", "default")


def _preview_first(out: Path) -> None:
    """As drones record: a small picture for their screen, and the film, of as many pictures each."""
    preview = ("-f", "lavfi", "-i", "color=c=magenta:s=64x48:d=4:r=25")
    maps = ("-map", 1, "-map", 0, "-c:v:0", "mjpeg", "-pix_fmt:v:0", "yuvj420p", "-c:v:1", "copy")
    remux(out, film(100, size=(640, 480)), *preview, *maps, "-disposition:v:0", 0, "-disposition:v:1", "default")


def _palette(out: Path) -> None:
    encode(out, range(20), 5, "-c:v", "smc", "-pix_fmt", "pal8", "-g", 5)


def _matrix(entries: tuple[int, int, int, int], flip: str = "", **more) -> Maker:
    def make(out: Path) -> None:
        encode(out, range(75), 25, *H264, flip=flip, **more)
        turned(out, entries)

    return make


def _edit_list(out: Path) -> None:
    """The first second and a half is cut away by the MP4's edit list, in the middle of a group of pictures."""
    remux(out, film(150, 25, "-bf", 2, "-g", 100), "-c", "copy", before=("-ss", 1.52))


def _open_edit_list(out: Path) -> None:
    """Its one edit lasts no time: it is left open where it ends."""
    film(100, 25, "-bf", 2)(out)
    content = bytearray(out.read_bytes())
    duration_at = content.index(b"elst") + 12
    content[duration_at : duration_at + 4] = bytes(4)
    out.write_bytes(content)


def _late_and_cut(shown_ms: int, late: float = 10) -> Maker:
    """It begins late, as an editor writes what lies behind a title or a sound, and its edit list cuts its end away."""

    def make(out: Path) -> None:
        remux(out, film(150, 25, "-bf", 2, "-g", 50), "-c", "copy", before=("-itsoffset", late))
        content = bytearray(out.read_bytes())
        duration_at = content.index(b"elst") + 24  # of the second edit: the first one is empty
        content[duration_at : duration_at + 4] = shown_ms.to_bytes(4)
        out.write_bytes(content)

    return make


def _interlaced(out: Path) -> None:
    encode(out, range(100), 25, "-vf", "setfield=tff", *H264, "-flags", "+ildct+ilme", "-x264-params", "tff=1")


def _other_hours(out: Path) -> None:
    join(out, film(100), lambda part: encode(part, range(100, 200), 25, *H264, "-output_ts_offset", 7200))


def _joined_with_b_frames(out: Path) -> None:
    """Counters of packets begin anew, so FFmpeg calls a picture before that corrupt; those beside it are skipped."""
    frames = (*H264, "-bf", 2, "-b_strategy", 0)
    join(out, *(lambda part, n=n: encode(part, range(n, n + 100), 25, *frames) for n in (0, 100)))


def _joined_clips(out: Path) -> None:
    join(out, film(50), lambda part: encode(part, range(50, 100), 25, *H264, "-output_ts_offset", 0.04))


_LATE = ("-output_ts_offset", 50)

CASES = {
    "plain": Case("mp4", film(100), at_rate(4), 4, aspects=[(0, 4 / 3)]),
    "a size that changes in a call": Case(
        "webm", _size_change_webm, at_rate(4), 4, aspects=[(0, 16 / 9), (3, 16 / 9)]
    ),
    "a phone turned while it streams": Case("ts", _size_change_ts, at_rate(4), 4, aspects=[(1, 4 / 3), (3, 3 / 4)]),
    "a broadcast whose aspect changes": Case("ts", _aspect_change_ts, at_rate(4), 4, aspects=[(1, 4 / 3), (3, 16 / 9)]),
    "a broadcast that goes on in other packets": Case("ts", _other_packets_ts, at_rate(8), 8, 1),
    "sound longer than the pictures, MKV": Case("mkv", _audio_longer, at_rate(4), 4),
    "sound longer than the pictures, WebM": Case("webm", _audio_longer, at_rate(4), 4),
    "pictures that begin after the sound": Case("mkv", _late_picture, at_rate(4), 4),
    "a clock that begins at an hour": Case(
        "mkv", _copied(100, "-output_ts_offset", 3600, "-avoid_negative_ts", "disabled"), at_rate(4), 4
    ),
    "slides": Case("mp4", _slides, [0, 0, 1, 1, 1, *[2] * 9], 14),
    "slides held in a screen recording": Case(
        "mp4", _held_slides, [0, 30, *(60 + n // 3 for n in range(18))], 20
    ),
    "pictures held in a broadcast": Case("ts", _held_broadcast(), [0, *[2] * 11, 3, *[5] * 13, 6], 26),
    "pictures held in a broadcast with sound": Case(
        "ts", _held_broadcast("-f", "lavfi", "-i", "sine=d=27"), [0, *[2] * 11, 3, *[5] * 13, 6], 26
    ),
    "recordings of other hours": Case("ts", _other_hours, at_rate(8), 8, 1),
    "pictures held in an AVI": Case("avi", _held_chunks, [0, 3, 5], 2.1),
    "irregular times": Case("mp4", _irregular, [0, 2, 4, 4, 4, 6], 5.5),
    "durations of a GIF": Case("gif", lambda out: gif(out, (1000, 2000, 3000)), [0, 76, 76, 152, 152, 152], 6),
    "durations of an APNG": Case("apng", lambda out: gif(out, (1000, 2000, 3000)), [0, 76, 76, 152, 152, 152], 6),
    "a GIF in a hurry": Case("gif", lambda out: gif(out, (10,) * 30), [0, 760, 1520], 3),
    "an APNG in a hurry": Case("apng", lambda out: gif(out, (1000, *(10,) * 10, 1000)), [0, 76, 836], 3),
    "an APNG of no time": Case("apng", lambda out: gif(out, (0,) * 30), [0, 760, 1520], 3),
    "a WebP in a hurry": Case("webp", lambda out: gif(out, (0,) * 30), [0, 760, 1520], 3),
    "sixteen B-frames": Case("mp4", _sixteen_b_frames, at_rate(6, 10), 6),
    "joined recordings": Case(
        "ts", lambda out: join(out, film(100), lambda part: encode(part, range(100, 200), 25, *H264)), at_rate(8), 8, 1
    ),
    "joined recordings with B-frames": Case("ts", _joined_with_b_frames, at_rate(8), 8),
    "joined clips whose clocks begin a picture apart": Case("ts", _joined_clips, at_rate(4), 4),
    "a clock that wraps": Case("ts", _copied(100, "-output_ts_offset", 95_441), at_rate(4), 4),
    "the end of the clock": Case("ts", _copied(50, "-output_ts_offset", "95439.5"), at_rate(2), 2),
    "a recorder's clock": Case("ts", _copied(100, "-muxdelay", 0, "-output_ts_offset", 47_000), at_rate(4), 4),
    "a WMV whose clock begins at fifty seconds": Case(
        "wmv", lambda out: encode(out, range(100), 25, "-c:v", "wmv2", "-q:v", 3, *_LATE), at_rate(4), 4
    ),
    "a thumbnail before the film": Case("mkv", _thumbnail_first, at_rate(4), 4, aspects=[(0, 4 / 3)]),
    "a preview beside the film": Case("mp4", _preview_first, at_rate(4), 4, aspects=[(0, 4 / 3)]),
    "colors in a palette": Case("mov", _palette, at_rate(4, 5), 4),
    "a raw stream of 25 a second": Case("h264", film(100, 25, "-bf", 3), at_rate(4), 4),
    "a raw stream of 10 a second": Case("h264", film(40, 10, "-bf", 0), at_rate(4, 10), 4),
    "a recorder's own container": Case("dav", lambda out: dahua(out, film(100, 25, "-bf", 0)), at_rate(4), 4),
    "mirrored": Case("mp4", _matrix((-1, 0, 0, 1), "x"), at_rate(3), 3, aspects=[(0, 4 / 3)]),
    "upside down": Case("mp4", _matrix((1, 0, 0, -1), "y"), at_rate(3), 3, aspects=[(0, 4 / 3)]),
    "wide pixels": Case(
        "mp4", lambda out: encode(out, range(50), 25, "-vf", "setsar=64/45", *H264, size=(720, 576)),
        at_rate(2), 2, aspects=[(0, 16 / 9)],
    ),
    "cut by an edit list": Case("mp4", _edit_list, [38, 63, 88, 113, 138], 4.48),
    "cut at its end behind a late beginning": Case("mp4", _late_and_cut(4000), at_rate(4), 4),
    "cut to less than it begins late": Case("mp4", _late_and_cut(2000), at_rate(2), 2),
    "begun late with an edit list that is left open": Case("mp4", _late_and_cut(0), at_rate(6), 6),
    "an edit list that is left open": Case("mp4", _open_edit_list, at_rate(4), 4),
    "interlaced": Case("ts", _interlaced, at_rate(4), 4, 1),
}  # fmt: skip
"""By name. Each stands for a kind that people report."""
