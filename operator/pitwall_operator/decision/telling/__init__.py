"""What the status says in words: conditions, refusals, and the status of a variant.

Pure: no clock, chance or I/O.
"""
