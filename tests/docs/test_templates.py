"""What GitHub and pre-commit read is well formed, and runs what `make check` runs."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
CHECK = (ROOT / "scripts" / "check.sh").read_text(encoding="utf-8")
HOOKS = [
    hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in repository["hooks"]
]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_is_a_line_of_the_check(hook: dict[str, object]) -> None:
    command = str(hook["entry"]).removeprefix(".venv/bin/").partition(" ")
    assert f'"$bin/{command[0]}"{command[1]}{command[2]}' in CHECK.splitlines()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_asks_each_thing_once(form: Path) -> None:
    read = yaml.safe_load(form.read_text(encoding="utf-8"))
    ids = [part["id"] for part in read["body"] if part["type"] != "markdown"]

    assert read["name"]
    assert read["description"]
    assert len(ids) == len(set(ids)) > 0
    assert all(part["attributes"].get("label") for part in read["body"] if part["type"] != "markdown")


def test_a_bug_report_holds_what_is_needed_to_judge_a_verdict() -> None:
    read = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8"))
    required = {part["id"] for part in read["body"] if part.get("validations", {}).get("required")}
    assert {"version", "resources", "explained"} <= required
