"""One question to one video, without any server: `python -m pitwall_runtime.ask`."""
