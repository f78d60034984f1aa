"""What the verbs speak of: a folder of the embedded mode, or a namespace of a cluster."""
