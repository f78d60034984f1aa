"""The operator of one machine: files in place of an API server, child processes in place of pods."""
