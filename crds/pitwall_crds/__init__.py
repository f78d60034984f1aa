"""The custom resources that users write (SamplerVariant and Rollout), and every name that two processes share."""
