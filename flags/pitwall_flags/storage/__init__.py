"""Keeps flags, their audit trail and the decision records in a SQL database."""
