"""The gateway: passes questions to the variant that the flag assigns, and counts what the rollout is judged by."""
