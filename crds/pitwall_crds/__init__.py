"""What a user may ask: the types of SamplerVariant and Rollout, and every name that two processes share."""
