"""The dashboard as Grafana imports it, and its place on one screen."""

import json
from itertools import combinations
from pathlib import Path

import pytest

from pitwall_dashboards.generate import write_files
from pitwall_dashboards.panel import GridPosition
from pitwall_dashboards.screen import COLUMNS, MAXIMUM_ROWS, ROWS, dashboard, placed

COMMITTED = Path(__file__).parents[2] / "dashboards"


def overlap(one: GridPosition, other: GridPosition) -> bool:
    apart = one.x + one.width <= other.x or other.x + other.width <= one.x
    above = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not (apart or above)


def test_the_panels_fit_one_screen_of_1080_lines():
    assert max(place.y + place.height for _, place in placed()) <= MAXIMUM_ROWS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.panels[0].title)
def test_a_row_fills_the_grid(row):
    assert sum(panel.width for panel in row.panels) == COLUMNS


def test_no_panels_overlap():
    assert not any(overlap(one, other) for (_, one), (_, other) in combinations(placed(), 2))


def test_titles_and_ids_differ_and_every_panel_explains_itself():
    panels = dashboard()["panels"]

    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert all(panel["description"].endswith(".") for panel in panels)


def test_the_data_source_is_asked_for_once_and_used_everywhere():
    screen = dashboard()
    variables = {variable["name"]: variable for variable in screen["templating"]["list"]}
    sources = [target["datasource"] for panel in screen["panels"] for target in panel["targets"]]

    assert [each["name"] for each in screen["__inputs"]] == ["DS_PROMETHEUS"]
    assert variables["datasource"]["current"]["value"] == "${DS_PROMETHEUS}"
    assert list(variables) == ["datasource", "namespace", "rollout", "sampler_variant"]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_variables_that_are_used_exist():
    names = {variable["name"] for variable in dashboard()["templating"]["list"]} | {"__rate_interval", "labels"}
    text = json.dumps(dashboard()["panels"])

    for word in text.split("$")[1:]:
        assert word.lstrip("{").startswith(tuple(names)), word[:30]


def test_every_panel_type_is_declared():
    screen = dashboard()
    declared = {each["id"] for each in screen["__requires"] if each["type"] == "panel"}

    assert declared == {panel["type"] for panel in screen["panels"]}
    assert screen["schemaVersion"] >= 39


def test_the_committed_files_are_what_the_names_give(tmp_path: Path):
    for path in write_files(tmp_path):
        assert path.read_bytes() == (COMMITTED / path.name).read_bytes()
