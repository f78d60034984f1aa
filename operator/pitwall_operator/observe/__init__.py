"""Reads the counters of gateways and runtimes, from Prometheus or straight from each process."""
