"""The same traffic through Pitwall's gate and the rules of its peers: who flags off what, when, and at whose cost."""
