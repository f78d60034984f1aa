"""The main job on one machine: simulated users in, their judged answers and a promoted sampler out."""
