"""Reads requests, and writes answers and errors, over HTTP."""
