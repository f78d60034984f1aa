"""Whose trials count: no user or caller has more than a share of them, and what users differ by is told."""
