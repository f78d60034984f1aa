"""The embedded mode: the operator on one machine, with files for an API server and child processes for pods."""
