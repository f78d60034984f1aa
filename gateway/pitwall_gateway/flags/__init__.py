"""Assigns users to arms and variants by evaluating the flags."""
