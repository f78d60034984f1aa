"""Bounds how much a document holds, before anything is said of each thing that is wrong in it."""

from typing import Final

MOST_NODES: Final = 10_000
"""Fields and entries of a resource; the largest that a cluster takes and anybody wrote has some hundred."""


def extent_fault(data: object) -> str:
    """What is wrong with the extent of a document of dictionaries and lists; empty if nothing is."""
    nodes, left = 0, [data]
    while left:
        node = left.pop()
        children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
        nodes += len(children)
        if nodes > MOST_NODES:
            return f"more than {MOST_NODES} fields and entries are no resource; leave out what is not needed"
        left += children
    return ""
