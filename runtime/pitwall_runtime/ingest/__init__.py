"""Fetches a question's video to the disk, or refuses it with a clear reason."""
