"""The demo: a rollout on one machine, with simulated users who ask about a real film."""
