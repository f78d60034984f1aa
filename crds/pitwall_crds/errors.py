"""Exceptions for YAML files that cannot be used, and for what is wrong with the machine that a process runs on."""


class ResourceError(ValueError):
    """A file holds no resource that can be used; the message names the place, the value and the remedy."""


class MalformedYamlError(ResourceError):
    """The text is not YAML that Pitwall reads; `line` and `column` count from 1, 0 where unknown."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


class InvalidResourceError(ResourceError):
    """A file cannot be used. The message has one line per problem: file, line, resource, field, value, remedy."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class UnreadableFileError(OSError, ValueError):
    """A file of ours is there and cannot be read; the message names it and what is wrong with it."""


class PortError(OSError):
    """An address cannot be listened on; the message names it, the reason and the remedy."""
