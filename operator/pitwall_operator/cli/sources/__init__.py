"""Where commands read and write: the state folder of the embedded mode, or a namespace of a cluster."""
