"""Samplers that weigh relevance against likeness, so that no two frames show the same."""
