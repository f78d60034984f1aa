"""Serves one variant over an OpenAI-shaped HTTP API: `python -m pitwall_runtime.serve --help`."""
