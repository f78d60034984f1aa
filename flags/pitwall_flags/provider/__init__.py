"""The OpenFeature provider inside every gateway, and how it keeps up with the flag service."""
