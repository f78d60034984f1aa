"""Rollout: what users write of how a variant reaches the users of a flag, and where it stands."""
