"""What a turn changes in the status: candidates, requests, stages, deadlines and the history of them.

Pure: no clock, chance or I/O.
"""
