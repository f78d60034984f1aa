"""What the gateway counts: evidence by run, the memory of the traffic, and the metrics that show both."""
