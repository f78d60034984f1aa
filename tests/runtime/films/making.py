"""Tools to write films: through ffmpeg's command line, frame by frame at odd times, and by damaging bytes."""

import hashlib
import inspect
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from films import numbered
from films.numbered import picture
from pitwall_crds.host.files import whole_file

FILMS = Path(__file__).parents[3] / ".pytest_cache" / "films"
"""What was encoded once; `make clean` empties it."""
Maker = Callable[[Path], None]
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
TONE = ("-f", "lavfi", "-i", "sine=d=12")
MILLISECOND = Fraction(1, 1000)


def ffmpeg(*arguments: object, pixels: Iterable[bytes] = ()) -> bytes:
    """What ffmpeg writes to its standard output; `pixels` go to its standard input."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed (scripts/servers.sh installs it)")
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=b"".join(pixels), capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode()}"
    return done.stdout


def seconds_shown(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """What ffmpeg shows of a file at each whole second, in pictures of this shape, and its warnings about the file."""
    high, wide = shape[:2]
    shown = f"setpts=PTS-STARTPTS,fps=fps=1:round=up,scale={wide}:{high}:flags=bicubic,format=rgb24"
    command = ["ffmpeg", "-v", "warning", "-nostdin", "-i", str(path), "-map", "0:v:0", "-vf", shown]
    done = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, timeout=240, check=False)
    pixels = np.frombuffer(done.stdout, np.uint8)
    words = [
        line for line in done.stderr.decode(errors="replace").splitlines() if "deprecated pixel format" not in line
    ]
    return pixels[: len(pixels) // (high * wide * 3) * high * wide * 3].reshape(-1, high, wide, 3), "\n".join(words)


def encode(
    out: Path, numbers: range, rate: object, *options: object, size: tuple[int, int] = (320, 240), flip: str = ""
) -> None:
    """Frames of these numbers at a constant rate. `flip` draws them mirrored (`x`) or upside down (`y`)."""
    out.write_bytes(_encoded(out.suffix, numbers, rate, options, size, flip))


@lru_cache(maxsize=24)
def _encoded(
    suffix: str, numbers: range, rate: object, options: tuple[object, ...], size: tuple[int, int], flip: str
) -> bytes:
    """Many tests want the same film, in every process: drawing and encoding it takes longer than what they try."""
    words = repr((suffix, numbers, str(rate), list(map(str, options)), size, flip, _maker()))
    known = FILMS / f"{hashlib.sha256(words.encode()).hexdigest()}{suffix}"
    if not known.exists():
        with whole_file(known, durable=False) as made:
            made.write(_drawn(suffix, numbers, rate, options, size, flip))
    return known.read_bytes()


@cache
def _maker() -> str:
    """What else a film depends on: the encoder, and what draws the pictures."""
    return ffmpeg("-version").decode() + inspect.getsource(numbered)


def _drawn(
    suffix: str, numbers: range, rate: object, options: tuple[object, ...], size: tuple[int, int], flip: str
) -> bytes:
    step = {"": (1, 1), "x": (1, -1), "y": (-1, 1)}[flip]
    pixels = (picture(n, *size)[:: step[0], :: step[1]].tobytes() for n in numbers)
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "x".join(map(str, size)), "-r", rate)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"film{suffix}"
        ffmpeg(*raw, "-i", "-", *options, out, pixels=pixels)
        return out.read_bytes()


def film(count: int, rate: object = 25, *options: object, **more) -> Maker:
    """So many H.264 frames."""
    return lambda out: encode(out, range(count), rate, *H264, *options, **more)


def at_times(
    out: Path, codec: str, parts: Sequence[tuple[tuple[int, int], Sequence[tuple[int, int]]]],
    *, last: int = 0, options: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """Frames at milliseconds: parts of one size each, of (number, millisecond). `last`: how long the last one shows."""
    with av.open(str(out), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        (stream.width, stream.height), stream.pix_fmt = parts[0][0], "yuv420p"
        stream.time_base = MILLISECOND
        for index, (size, frames) in enumerate(parts):
            encoder = stream.codec_context
            if index:
                encoder = av.CodecContext.create(codec, "w")
                (encoder.width, encoder.height), encoder.pix_fmt, encoder.framerate = size, "yuv420p", Fraction(25)
            encoder.time_base = MILLISECOND
            shown = [end - begin for (_, begin), (_, end) in pairwise(frames)] + [last]
            spans = {begin: span for (_, begin), span in zip(frames, shown, strict=True)}
            packets = [packet for n, ms in frames for packet in encoder.encode(_frame(n, ms, size))]
            for packet in packets + encoder.encode(None):
                packet.stream, packet.time_base = stream, MILLISECOND
                packet.duration = spans[packet.pts] or packet.duration
                container.mux(packet)


def _frame(number: int, milliseconds: int, size: tuple[int, int]) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = milliseconds, MILLISECOND
    return frame


def every(count: int, milliseconds: int, first: int = 0) -> list[tuple[int, int]]:
    """(number, millisecond) of `count` frames, so far apart."""
    return [(n, n * milliseconds) for n in range(first, first + count)]


def join(out: Path, *parts: Maker) -> None:
    """Files end to end, as `cat` does."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{index}{out.suffix}" for index in range(len(parts))]
        for make, file in zip(parts, files, strict=True):
            make(file)
        out.write_bytes(b"".join(file.read_bytes() for file in files))


def remux(out: Path, make: Maker, *options: object, before: Sequence[object] = ()) -> None:
    """What `make` makes as MKV (which keeps times as they are), copied with options; `before` go before its input."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mkv"
        make(source)
        ffmpeg(*before, "-i", source, *options, out)


def turned(file: Path, entries: tuple[int, int, int, int]) -> None:
    """Write an MP4's display matrix: its four entries that turn and mirror, in units."""
    data = bytearray(file.read_bytes())
    header = data.find(b"tkhd")
    at = header + (56 if data[header + 4] else 44)
    width, height = struct.unpack(">ii", data[at + 36 : at + 44])
    a, b, c, d = (entry << 16 for entry in entries)
    shift_x = (width if a < 0 else 0) + (height if c < 0 else 0)
    shift_y = (height if d < 0 else 0) + (width if b < 0 else 0)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, shift_x, shift_y, 1 << 30)
    file.write_bytes(data)


def dahua(out: Path, make: Maker) -> None:
    """An H.264 film as Dahua's recorders write it (.dav), for which ffmpeg has no writer."""
    with tempfile.TemporaryDirectory() as folder:
        source, written = Path(folder) / "source.h264", []
        make(source)
        with av.open(str(source)) as film:
            size = film.streams.video[0].width // 8, film.streams.video[0].height // 8
            for number, packet in enumerate(packet for packet in film.demux(video=0) if packet.size):
                second, milliseconds = divmod(number * 40, 1000)
                kind, day = 0xFD if packet.is_keyframe else 0xFC, 26 << 26 | 1 << 22 | 1 << 17
                told = bytes((0x80, 0, *size, 0x81, 0, 2, 25))
                length = 24 + len(told) + packet.size + 8
                times = struct.pack("<IHBB", day | second, milliseconds + 1000 * second, len(told), 0)
                head = b"DHAV" + bytes((kind, 0, 0, 0)) + struct.pack("<II", number, length) + times
                written.append(head + told + bytes(packet) + b"dhav" + struct.pack("<I", length))
        out.write_bytes(b"".join(written))


def gif(out: Path, milliseconds: Sequence[int]) -> None:
    """One picture after the other, each shown so long; GIF, APNG, WebP or AVIF by the name."""
    images = [Image.fromarray(picture(75 * n + n)) for n in range(len(milliseconds))]
    more = {"lossless": True} if out.suffix == ".webp" else {}
    images[0].save(out, save_all=True, append_images=images[1:], duration=list(milliseconds), **more)


def hollow(file: Path, first: float, last: float) -> None:
    """Zeros in place of a part of the bytes."""
    data = bytearray(file.read_bytes())
    begin, end = int(len(data) * first), int(len(data) * last)
    data[begin:end] = bytes(end - begin)
    file.write_bytes(data)


def keep_fragments(file: Path, *numbers: int) -> None:
    """What a recorder has that joined a live stream late, or lost some of it: only these of an MP4's fragments."""
    data, at, kept, number = file.read_bytes(), 0, b"", -1
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        number += kind == b"moof"
        if kind in (b"ftyp", b"moov") or (kind in (b"moof", b"mdat") and number in numbers):
            kept += data[at : at + size]
        at += size
    file.write_bytes(kept)
