"""Writes the Grafana dashboard and the Prometheus rules: `python -m pitwall_dashboards.generate DIRECTORY`."""

import argparse
import json
from pathlib import Path
from typing import Final

import yaml

from pitwall_dashboards.rules import rule_file
from pitwall_dashboards.screen import dashboard

HEADER: Final = "# Made by `python -m pitwall_dashboards.generate dashboards` from the shared names; do not edit.\n"


def write_files(directory: Path) -> tuple[Path, Path]:
    """Writes pitwall.json and rules.yaml, the same bytes every time, and returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    screen, rules = directory / "pitwall.json", directory / "rules.yaml"
    screen.write_text(json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    rules.write_text(
        HEADER + yaml.safe_dump(rule_file(), sort_keys=False, width=120, allow_unicode=True), encoding="utf-8"
    )
    return screen, rules


def main() -> None:
    """Writes the files into the directory named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m pitwall_dashboards.generate", description=main.__doc__)
    parser.add_argument("directory", type=Path, help="where the files go, such as dashboards")
    for path in write_files(parser.parse_args().directory):
        print(path)


if __name__ == "__main__":
    main()
