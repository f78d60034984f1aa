"""Stores of frame pools: on the local disk, shared by machines, or in memory."""
