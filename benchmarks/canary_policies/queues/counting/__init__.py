"""What the gateway counts of it, by its own rules."""
