"""Tells how long a film's last picture is held, where pictures are not in order and nothing says it of that one."""

from pitwall_runtime.stages.decode.libav.files.container import Source


def end_of_last(source: Source, end: int, first: int | None) -> int:
    """Where the pictures end that are read: `end`, which is a usual picture's length behind the last one's begin, or
    earlier. `first`: when the first one is shown.

    The lengths in an MP4's fragments are distances in decoding order; all together are as long as the film, unless so
    many pictures are held at its end that the last one begins behind that. Its own length is then the one that the
    picture says that is decoded last.
    """
    in_fragments = source.indexed and not source.stream.frames
    if not in_fragments or not source.stream.codec_context.has_b_frames or not source.stream.duration or first is None:
        return end
    summed = first + source.stream.duration
    begin = end - source.tick
    return begin + min(source.tick, source.latest_length) if summed <= begin else min(summed, end)
