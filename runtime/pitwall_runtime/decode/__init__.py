"""Decode: a video file in, its pool frames out, once, in a process of its own."""
