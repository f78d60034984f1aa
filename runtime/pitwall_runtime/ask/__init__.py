"""Asks one question about one video, without any server: `python -m pitwall_runtime.ask`."""
