"""Writes the table of the built-in samplers' parameters into a page, between two marks: `FILE` is docs/samplers.md."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pitwall_crds.variant.builtin import CATALOGUE

BEGIN: Final = "<!-- parameters: made by `make generate` -->"
END: Final = "<!-- end of parameters -->"


def table() -> str:
    """A row for each parameter of each sampler."""
    head = ["| sampler | parameter | type | default | bounds | is |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(row for entry in CATALOGUE for row in _rows(entry))])


def _rows(entry: Mapping[str, Any]) -> Iterator[str]:
    schema = entry["parameters"]
    for name, one in schema.get("properties", {}).items():
        kind, bounds = _kind(one, schema.get("$defs", {}))
        default = str(one.get("default", "")).lower() if kind == "boolean" else one.get("default", "")
        shown = f"`{default}`" if default != "" else "–"
        yield f"| `{entry['name']}` | `{name}` | {kind} | {shown} | {bounds} | {one.get('description', '')} |"


def _kind(one: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[str, str]:
    """What a SamplerVariant may hold, and within which bounds; decimals are its strings."""
    if "$ref" in one:
        choices = definitions[one["$ref"].rpartition("/")[2]].get("enum", ())
        return "choice", ", ".join(f"`{choice}`" for choice in choices)
    number = next((kind for kind in one.get("anyOf", ()) if kind.get("type") == "number"), None)
    kind = "decimal string" if number else str(one["type"])
    return kind, _bounds(number or one)


def _bounds(one: Mapping[str, Any]) -> str:
    least = f"≥ {one['minimum']:g}" if "minimum" in one else ""
    least = f"> {one['exclusiveMinimum']:g}" if "exclusiveMinimum" in one else least
    most = f"≤ {one['maximum']:g}" if "maximum" in one else ""
    length = f"at most {one['maxLength']} characters" if "maxLength" in one else ""
    return ", ".join(filter(None, (least, most, length))) or "–"


def with_table(page: str) -> str:
    """The page with the table as it is now. Raises ValueError if a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN!r} or {END!r}; put both where the table belongs")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Remake the table of a page."""
    parser = argparse.ArgumentParser(description="Write the samplers' parameters into a page.")
    parser.add_argument("page", type=Path, metavar="FILE")
    page = parser.parse_args().page
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
