"""The runtime: answers questions about videos with the frame sampler of one variant."""
