"""Converts between RFC 3339 text, as a status holds times, and epoch seconds, as arithmetic needs them."""

from datetime import UTC, datetime


def to_text(epoch_seconds: float) -> str:
    """The RFC 3339 form."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_epoch(text: str) -> float:
    """Epoch seconds of a time written by `to_text`; 0 for an empty text."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
