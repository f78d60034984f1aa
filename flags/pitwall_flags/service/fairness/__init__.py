"""Bounds what one client may take of the flag service, so that all others are served."""
