"""Brings a video from its server: within bounds of size and time, from public addresses alone, once."""
