"""Arithmetic that several samplers share: curves, quotas, peaks, wavelets, spreading. Plain arrays in and out."""
