"""What the gateway counts of the simulated questions, by its own rules."""
