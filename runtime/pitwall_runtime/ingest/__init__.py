"""Ingest: a video's address in, a video on disk out; or a clear refusal."""
