"""Keeps pictures of an MP4's fragments whose clock began anew: FFmpeg marks them as not to be shown.

It has a place for one picture at each time, and gives the fragments' pictures in the order of the file: what lies at
times that were there before is for it no part of the film.
"""

from collections.abc import Iterable, Iterator
from typing import cast

from av.packet import Packet

from pitwall_runtime.decode.libav.container import Source, VideoPacket


def kept(source: Source, packets: Iterable[VideoPacket]) -> Iterator[VideoPacket]:
    """The packets, with copies in place of those marked since the clock went back for the first time. What is marked
    before is cut away by an edit list. A copy does not tell its place in the file."""
    overlaps, latest = False, None
    for packet in packets:
        if source.indexed and packet.dts is not None:
            overlaps, latest = overlaps or (latest is not None and packet.dts <= latest), packet.dts
        yield _shown(packet) if overlaps and packet.is_discard else packet


def _shown(packet: VideoPacket) -> VideoPacket:
    copy = cast("VideoPacket", Packet(bytes(packet)))
    copy.stream, copy.time_base = packet.stream, packet.time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.is_keyframe, copy.is_corrupt = packet.is_keyframe, packet.is_corrupt
    for data in packet.iter_sidedata():
        copy.set_sidedata(data)
    return copy
