"""Traffic as one gateway counts it: bursts, queues of pods, stalls, cold starts, and users of whom few ask most."""
