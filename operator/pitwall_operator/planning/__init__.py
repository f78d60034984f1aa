"""What a rollout would be like, said before it starts: how long its stages take, and whom a bad candidate reaches.

Pure: no clock, chance or I/O.
"""
