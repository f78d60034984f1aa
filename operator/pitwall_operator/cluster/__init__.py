"""The operator in a Kubernetes cluster: watches, work queue, reconciliation, admission reviews, probes and metrics."""
