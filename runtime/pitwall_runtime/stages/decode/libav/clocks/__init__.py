"""Gives pictures the times that a player shows them at, where the container's own go wrong."""
