"""The command line: `pitwall …`, embedded mode."""
