"""Shows pictures of an MP4's fragments whose clock began anew: FFmpeg marks them as not to be shown.

It has a place for one picture at each time, and gives the fragments' pictures in the order of the file: what lies at
times that were there before is for it no part of the film.
"""

from typing import cast

from av.packet import Packet

from pitwall_runtime.stages.decode.libav.files.container import VideoPacket


def shown(packet: VideoPacket) -> VideoPacket:
    """A copy that is to be shown. It does not tell its place in the file."""
    copy = cast("VideoPacket", Packet(bytes(packet)))
    copy.stream, copy.time_base = packet.stream, packet.time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.is_keyframe, copy.is_corrupt = packet.is_keyframe, packet.is_corrupt
    for data in packet.iter_sidedata():
        copy.set_sidedata(data)
    return copy
