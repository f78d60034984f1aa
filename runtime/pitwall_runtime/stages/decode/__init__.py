"""Decodes a video into its pool of frames, once, in a process of its own."""
