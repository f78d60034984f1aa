"""What is told in Prometheus gauges of how the counts came about."""
