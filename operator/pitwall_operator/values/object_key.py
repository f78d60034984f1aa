"""What tells one object of a kind from all others: its namespace and its name."""

Key = tuple[str, str]
"""(namespace, name)"""
