"""The operator of a cluster: watch, queue, turn by turn; its admission reviews, probes and metrics."""
