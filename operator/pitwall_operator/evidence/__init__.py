"""Sequential hypothesis tests (e-processes) that compare the candidate sampler with the control.

An e-process is a bet against a null hypothesis that starts at 1 and, while the null holds, is never expected to grow.
So P(it ever reaches 1/α) ≤ α, however often one looks (Ville's inequality). Pure: no clock, chance or I/O.
"""
