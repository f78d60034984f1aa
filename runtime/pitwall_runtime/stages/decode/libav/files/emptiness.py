"""Tells what a packet without bytes means: the film's end, or that the picture before it is held.

Theora's encoders, and some that write QuickTime files, write one for each picture that is like the one before it.
"""

from typing import Any

from av.packet import Packet


def is_end(packet: "Packet[Any]") -> bool:
    """Whether this is the last packet of a stream, with which FFmpeg has a decoder give what it holds back."""
    return not packet.size and packet.pts is None and packet.dts is None


def is_held(packet: "Packet[Any]") -> bool:
    """Whether it stands for a picture that is the same as the one before it; for a decoder it would be the end."""
    return not packet.size and not is_end(packet)
