"""The films that are measured on: Big Buck Bunny, parts of it written anew, and long ones made by repeating."""

import importlib.util
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def films(folder: Path, seconds: int) -> Iterator[tuple[str, Path]]:
    """Big Buck Bunny's beginning as it is, and the same as phones and screen recorders write films."""
    whole = fetched("bbb")
    cut = folder / "h264.mp4"
    ffmpeg("-i", whole, "-t", seconds, "-an", "-c", "copy", cut)
    yield "H.264 1280×720, 24 a second", cut
    many = folder / "b-frames.mp4"
    shape = ("-vf", "scale=640:360,fps=60", "-c:v", "libx264", "-preset", "fast", "-bf", 3, "-g", 250)
    ffmpeg("-i", cut, "-t", seconds / 2, *shape, many)
    yield "H.264 640×360, 60 a second", many
    single = folder / "mjpeg.mov"
    ffmpeg("-i", cut, "-t", seconds / 4, "-c:v", "mjpeg", "-q:v", 4, single)
    yield "Motion JPEG 1280×720, 24 a second", single


CODECS = {
    "HEVC": ("mp4", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:bframes=3"),
    "VP9": ("webm", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-b:v", "2M", "-g", 120),
    "VP8": ("webm", "libvpx", "-deadline", "realtime", "-cpu-used", 8, "-b:v", "2M", "-g", 120),
    "AV1": ("mp4", "libsvtav1", "-preset", 12, "-g", 120),
    "MPEG-2": ("ts", "mpeg2video", "-b:v", "6M", "-bf", 2),
    "MPEG-4": ("avi", "mpeg4", "-b:v", "4M", "-bf", 2),
}


def of_codecs(folder: Path, seconds: int) -> Iterator[tuple[str, Path]]:
    """The same in other codecs."""
    whole = fetched("bbb")
    for codec, (suffix, *options) in CODECS.items():
        film = folder / f"{codec}.{suffix}"
        ffmpeg("-ss", 60, "-i", whole, "-t", seconds, "-an", "-c:v", *options, film)
        yield f"{codec} 1280×720, 24 a second", film


def small(folder: Path, seconds: int) -> Path:
    """A beginning of Big Buck Bunny of 320×180 with 5 pictures a second; beyond ten minutes it begins anew."""
    once, film = folder / f"once-{seconds}.mp4", folder / f"small-{seconds}.mp4"
    shape = ("-vf", "scale=320:180,fps=5", "-an", "-c:v", "libx264", "-preset", "ultrafast", "-g", 50)
    ffmpeg("-i", fetched("bbb"), "-t", min(seconds, 590), *shape, once)
    ffmpeg("-stream_loop", -1, "-i", once, "-t", seconds, "-c", "copy", film)
    return film


def different(folder: Path, count: int, seconds: int) -> list[Path]:
    """So many films, each another part of Big Buck Bunny."""
    made = []
    for number in range(count):
        film = folder / f"part-{number}.mp4"
        shape = ("-vf", "scale=320:180,fps=5", "-an", "-c:v", "libx264", "-preset", "ultrafast")
        ffmpeg("-ss", number * 25, "-i", fetched("bbb"), "-t", seconds, *shape, film)
        made.append(film)
    return made


@cache
def fetched(name: str) -> Path:
    """A sample film, from the network once."""
    spec = importlib.util.spec_from_file_location("fetch_media", ROOT / "scripts" / "fetch_media.py")
    assert spec
    assert spec.loader
    media = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(media)
    return Path(media.fetch(media.FILMS[name], media.media_dir()))


def ffmpeg(*arguments: object) -> None:
    """Run ffmpeg's command."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)  # noqa: S603, S607


def native_frames(film: Path) -> int:
    """How many pictures the film has."""
    ask = ("-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0")
    told = subprocess.run(["ffprobe", "-v", "error", *ask, str(film)], capture_output=True, check=True)  # noqa: S603, S607
    return int(told.stdout.split(b",")[0])
