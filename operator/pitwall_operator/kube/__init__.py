"""Access to the Kubernetes API: objects, pods, Events, and the Lease that elects a leader."""
