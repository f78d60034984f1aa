"""Measures the ingest queues: what they carry, and what a worker that is killed costs."""
