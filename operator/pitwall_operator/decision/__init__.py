"""The decision core: from a Rollout's spec, status and observation, its next status and the effects to carry out.

Pure: no clock, chance or I/O.
"""
