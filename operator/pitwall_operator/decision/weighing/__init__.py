"""Weighs what was counted: closes blocks, leaves out disturbed ones, and judges every gate.

Pure: no clock, chance or I/O.
"""
