"""Measures the path of a question: how fast films become pools, what answers cost, and how that grows with length."""
