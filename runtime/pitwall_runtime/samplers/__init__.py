"""Frame samplers: choose the pool frames that a question is answered from. This is what a rollout swaps."""
