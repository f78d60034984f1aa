"""The command line: `pitwall …` and `kubectl pitwall …`."""
