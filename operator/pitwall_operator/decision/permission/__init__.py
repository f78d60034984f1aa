"""Whose a flag is, and whether a variant can run.

Pure: no clock, chance or I/O.
"""
