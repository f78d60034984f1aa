"""Every built-in sampler has its card, with all that a card says."""

import re
from pathlib import Path

import pytest

from pitwall_runtime.media import Selection
from pitwall_runtime.plugins.parameter_table import table, with_table
from pitwall_runtime.plugins.suite.situations import all_situations
from pitwall_runtime.samplers.catalogue import BUILT_IN, bind, find

CARDS = (Path(__file__).parents[3] / "docs" / "samplers.md").read_text(encoding="utf-8")


def test_each_name_with_its_stability_and_the_paper_that_it_comes_from():
    told = dict(re.findall(r"^\| `([a-z0-9-]+)` \((alpha|beta|stable)", CARDS, re.MULTILINE))

    assert told == {name: str(find(name).stability) for name in BUILT_IN}
    cards = re.findall(r"^\| `[a-z0-9-]+` \((?:alpha|beta|stable)[^|]*\|(.+)\|$", CARDS, re.MULTILINE)
    points = [[cell.strip() for cell in card.split(" | ")] for card in cards]
    assert all(len(cells) == 6 and all(cells) for cells in points), "idea, source, needs, cost, use, limits"
    assert all(len(re.findall(r"[.;](?: |$)", cells[0])) >= 2 for cells in points), "the idea takes two sentences"
    papers = {number for name in BUILT_IN for number in re.findall(r"arXiv (\d{4}\.\d{5})", find(name).source)}
    assert papers <= set(re.findall(r"arxiv\.org/abs/(\d{4}\.\d{5})", CARDS))


def test_the_table_of_parameters_is_that_of_the_schemas():
    assert with_table(CARDS) == CARDS, "run make generate"
    assert "| `aks` | `peakThreshold` | decimal string | `0.8` | ≥ 0, ≤ 1 |" in table()
    assert "| `dpp` | `exact` | boolean | `false` | – |" in table()
    assert "| `router` | `local` | choice | `quota` | " in table()


def chosen(name: str, situation: str) -> Selection:
    one = next(one for one in all_situations() if one.name == situation)
    return bind(find(name), {}).choose(one.make())


def test_what_cards_say_of_constant_scores_is_so():
    assert chosen("topk", "constant scores").indices == tuple(range(8))
    assert chosen("mmr", "constant scores").indices[0] == 0
    assert chosen("adard", "constant scores").indices == chosen("dpp", "constant scores").indices
    assert chosen("gift", "constant scores").indices[-1] < 24


@pytest.mark.parametrize("name", ["topk", "mmr", "dpp", "adard", "gift", "qca"])
def test_a_card_says_what_is_chosen_where_all_frames_are_as_relevant(name):
    assert re.search(rf"^\| `{name}` .*of constant scores ", CARDS, re.MULTILINE)
