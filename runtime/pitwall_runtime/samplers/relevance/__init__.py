"""Samplers that follow the relevance curve: the best frames, and rules that keep them apart."""
