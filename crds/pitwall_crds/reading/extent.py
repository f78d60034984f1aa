"""Bounds how much a document holds: before anything is said of what is wrong in it, and for whoever keeps many."""

from typing import Final

MOST_NODES: Final = 2000
"""Fields and entries of a resource; the largest that a cluster takes and anybody wrote has some hundred."""
MOST_CHARACTERS: Final = 65_536
"""Of all texts and names of fields together."""


def extent_fault(data: object) -> str:
    """What is wrong with the extent of a document of dictionaries and lists; empty if nothing is."""
    nodes, characters = extent(data)
    if nodes > MOST_NODES:
        return f"more than {MOST_NODES} fields and entries are no resource; leave out what is not needed"
    if characters > MOST_CHARACTERS:
        return (
            f"more than {MOST_CHARACTERS} characters are no resource; "
            "put long texts into a ConfigMap or the image, and name them"
        )
    return ""


def extent(data: object) -> tuple[int, int]:
    """Fields and entries of a document, and characters; beyond what a resource may hold nothing is counted on."""
    nodes = characters = 0
    left = [data]
    while left and nodes <= MOST_NODES and characters <= MOST_CHARACTERS:
        node = left.pop()
        children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
        nodes += len(children)
        if nodes <= MOST_NODES:
            texts = node if isinstance(node, dict) else (node,) if isinstance(node, str) else ()
            characters += sum(len(str(text)) for text in texts)
            left += children
    return nodes, characters
