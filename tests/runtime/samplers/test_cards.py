"""Every built-in sampler has its card, with all that a card says."""

import re
from pathlib import Path

from pitwall_runtime.samplers.catalogue import BUILT_IN, find

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
