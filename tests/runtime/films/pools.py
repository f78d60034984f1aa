"""Pools of damaged films: which picture stands at each second, and where a wrong one does of which nothing is told."""

import numpy as np

from films.making import H264, ffmpeg
from films.numbered import read
from films.reading import decode
from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode import process

SEEN_LATE = 0.06
"""Seconds around a told stretch in which a picture may already be wrong: clocks are rounded."""


def pictures(path, **limited):
    """The timeline, and the pool as {second: picture}; from a process of its own where limits are given."""
    frames = []
    by = process.decode if limited else decode
    timeline = by(path, PoolSpec(), frames.append, **limited)
    return timeline, {float(frame.pts * timeline.time_base): frame.image for frame in frames}


def pool(path, **limited):
    """The timeline, and the pool as {second: number}; a number is None where the marks are smeared."""
    timeline, images = pictures(path, **limited)
    return timeline, numbered(images)


def beside_ffmpeg(path, per_second=4):
    """The timeline, the numbers of the pool's pictures, and of those that ffmpeg shows at the same instants."""
    frames = []
    timeline = decode(path, PoolSpec(per_second * 60), frames.append)
    high, wide, _ = frames[0].image.shape
    shown = f"setpts=PTS-STARTPTS,fps=fps={per_second}:round=up,scale={wide}:{high}:flags=bicubic,format=rgb24"
    theirs = ffmpeg("-i", path, "-map", "0:v:0", "-vf", shown, "-f", "rawvideo", "-")
    instants = {frame.pts * timeline.time_base: frame.image for frame in frames}
    images = np.frombuffer(theirs, np.uint8).reshape(-1, high, wide, 3)
    return timeline, list(numbered(instants).values()), [seen and seen.number for seen in map(read, images)]


def numbered(images):
    return {second: seen and seen.number for second, seen in ((at, read(image)) for at, image in images.items())}


def untold(timeline, numbers, rate=25, slack=2):
    """Seconds at which a wrong picture stands, outside of all that is told to be damaged."""
    told = [(one.start_seconds - SEEN_LATE, one.end_seconds + SEEN_LATE) for one in timeline.damage]
    return [
        second
        for second, number in numbers.items()
        if not any(start <= second < end for start, end in told)
        and (number is None or abs(number - rate * second) > slack)
    ]


RANDOM_KINDS = {
    "avc": ("mp4", (*H264, "-g", 50, "-bf", 2, "-movflags", "+faststart")),
    "ts": ("ts", (*H264, "-g", 50)),
    "mkv": ("mkv", (*H264, "-g", 50)),
    "vp8": ("webm", ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", 8, "-g", 50)),
    "vp9": ("webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-g", 50)),
    "hevc": ("mp4", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50")),
    "mpeg4": ("avi", ("-c:v", "mpeg4", "-g", 50)),
    "mpeg2": ("mpg", ("-c:v", "mpeg2video")),
    "mjpeg": ("avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
}
"""Films of ten seconds, by name: a suffix, and how they are encoded."""
