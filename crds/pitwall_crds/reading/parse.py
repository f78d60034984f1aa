"""Parses YAML into plain documents with line numbers, and refuses what could mislead or exhaust a reader."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from pitwall_crds.errors import MalformedYamlError

MAXIMUM_BYTES: Final = 1_048_576
MAXIMUM_NODES: Final = 20_000
MAXIMUM_DEPTH: Final = 48

_PREFIX: Final = "tag:yaml.org,2002:"
_MERGE: Final = _PREFIX + "merge"
_TEXT: Final = _PREFIX + "str"
_TAGS: Final = frozenset(_PREFIX + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a stream: `data` as JSON types (and floats), `root` to find line numbers."""

    data: Any
    root: yaml.Node

    def line(self, path: tuple[str | int, ...]) -> int:
        """Line of the deepest node on this path, counted from 1."""
        node = self.root
        for step in path:
            following = _child(node, step)
            if following is None:
                break
            node = following
        return int(node.start_mark.line) + 1


def parse_documents(text: str) -> tuple[Document, ...]:
    """The documents of a stream, empty ones left out. Raises MalformedYamlError."""
    size = len(text.encode("utf-8", errors="replace"))
    if size > MAXIMUM_BYTES:
        raise MalformedYamlError(f"the text has {size} bytes and must have at most {MAXIMUM_BYTES}; split the file")
    try:
        return tuple(_documents(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        raise _at(mark, f"not valid YAML: {words}; check indentation, colons and quotes here") from None
    except yaml.YAMLError as error:
        words = " ".join(str(error).split())
        raise MalformedYamlError(f"not valid YAML: {words}; save the file as plain UTF-8 text") from None


class _Loader(yaml.SafeLoader):
    """Composes nodes within a budget of expanded nodes and depth; keys must be text and differ."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = 0
        self._depth = 0
        self._expanded: dict[str | None, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One node; an alias costs as many nodes as what it stands for."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        before = self._nodes
        self._nodes += 1
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise _at(event.start_mark, f"nested deeper than {MAXIMUM_DEPTH} levels; flatten it")
        if isinstance(event, yaml.AliasEvent):
            self._nodes += self._size_of(event)
        else:
            self._expanded.pop(event.anchor, None)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent) and node is not None:
            self._expanded[event.anchor] = self._nodes - before
            _refuse_value(node)
        if self._nodes > MAXIMUM_NODES:
            words = f"expands to more than {MAXIMUM_NODES} values; write fewer resources or aliases per file"
            raise _at(event.start_mark, words)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping whose keys are text and differ."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: dict[str, int] = {}
        for key, _ in node.value:
            _refuse_key(key, seen)
            seen[key.value] = key.start_mark.line + 1
        return node

    def _size_of(self, alias: yaml.AliasEvent) -> int:
        """Nodes that an alias stands for. An unknown alias is left to the parser, which refuses it."""
        if alias.anchor in self.anchors and alias.anchor not in self._expanded:
            raise _at(alias.start_mark, "an alias refers to the value that contains it; write the value out")
        return self._expanded.get(alias.anchor, 0)


# As kubectl reads it: dates stay text, and so do times, which YAML 1.1 takes for numbers to the base of 60.
_OTHERS: Final = frozenset(_PREFIX + name for name in ("timestamp", "value", "int", "float"))
_FLOATS: Final = (
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?", r"[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?",
    r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+", r"[-+]?\.(?:inf|Inf|INF)", r"\.(?:nan|NaN|NAN)",
)  # fmt: skip
_INTEGERS: Final = (r"[-+]?0b[0-1_]+", r"[-+]?0[0-7_]*", r"[-+]?0x[0-9a-fA-F_]+", r"[-+]?[1-9][0-9_]*")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _forms in (("float", _FLOATS), ("int", _INTEGERS)):
    _Loader.add_implicit_resolver(_PREFIX + _kind, re.compile(f"^(?:{'|'.join(_forms)})$"), list("-+0123456789."))


def _documents(text: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            root = loader.get_node()
            data = _construct(loader, root) if root is not None else None
            if root is not None and data is not None:
                yield Document(data, root)
    finally:
        loader.dispose()


def _construct(loader: _Loader, root: yaml.Node) -> Any:
    try:
        return loader.construct_document(root)
    except yaml.YAMLError:
        raise
    except (ValueError, OverflowError) as error:  # such as an integer of 5000 digits
        words = str(error).split(";")[0]
        raise _at(root.start_mark, f"a value in this document cannot be read: {words}; shorten or quote it") from None


def _refuse_value(node: yaml.Node) -> None:
    if isinstance(node, yaml.ScalarNode) and any("\ud800" <= letter <= "\udfff" for letter in node.value):
        raise _at(node.start_mark, "holds half of a surrogate pair, which is no text; write the character itself")
    if node.tag not in _TAGS:
        raise _at(node.start_mark, f"the tag {node.tag!r} is not read; remove it and write plain values")


def _refuse_key(key: yaml.Node, seen: dict[str, int]) -> None:
    if not isinstance(key, yaml.ScalarNode) or key.tag not in (_TEXT, _MERGE):
        raise _at(key.start_mark, f"the key {_shown(key)} is not text; put it in quotes")
    if key.value in seen:
        raise _at(
            key.start_mark, f"the key {key.value!r} stands here and in line {seen[key.value]}; remove one of the two"
        )


def _shown(key: yaml.Node) -> str:
    return repr(key.value)[:60] if isinstance(key, yaml.ScalarNode) else "(a list or mapping)"


def _at(mark: Any, message: str) -> MalformedYamlError:
    if mark is None:
        return MalformedYamlError(message)
    return MalformedYamlError(message, line=mark.line + 1, column=mark.column + 1)


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]  # type: ignore[no-any-return]
    return None
