"""Counts of one gate's blocks come in, e-values come out: pure, no clock, no randomness, no I/O.

An e-process is a bet against a null hypothesis that starts at 1 and, while the null holds, is never expected to grow.
So P(it ever reaches 1/α) ≤ α, however often one looks (Ville's inequality).
"""
