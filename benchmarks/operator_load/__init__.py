"""Measures what the operator costs on a real API server, by the number of Rollouts."""
