"""Flags, their audit trail and the decision records, in SQL."""
