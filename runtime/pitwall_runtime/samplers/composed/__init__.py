"""Samplers that are made of others, of a model in the loop, or of learned weights."""
