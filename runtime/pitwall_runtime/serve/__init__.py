"""Serve: one variant behind an OpenAI-shaped HTTP interface. `python -m pitwall_runtime.serve --help`."""
