"""Copies of answered questions: whose turn it is, and how a shadow variant's answer differs."""
