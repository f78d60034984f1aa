"""What runs the variants' runtimes: one port, an adapter for child processes and one for Kubernetes."""
