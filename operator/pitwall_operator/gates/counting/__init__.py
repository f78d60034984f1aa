"""What gates weigh: read from gateways' counters, by run, between two blocks. Pure: no clock, chance or I/O."""
