"""Whatever a command prints, only its own colours reach the terminal."""

import io

import pytest
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from pitwall_operator.cli.terminal import SafeConsole

HOSTILE = "ok\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"


def table() -> Table:
    made = Table("name")
    made.add_row(HOSTILE)
    return made


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(HOSTILE, id="a line"),
        pytest.param(Text.assemble(("pitwall:", "bold red"), HOSTILE), id="a colored text"),
        pytest.param(table(), id="a table"),
        pytest.param(Tree(HOSTILE), id="a tree"),
    ],
)
def test_a_strangers_control_characters_are_shown_and_not_sent(printed):
    written = io.StringIO()
    console = SafeConsole(file=written, force_terminal=True, color_system="standard", width=200, highlight=False)
    console.print(printed, markup=False)
    text = written.getvalue()

    assert "ok\\x1b]0;owned" in text
    assert not {"\x07", "\x9b", "\u202e"} & set(text)
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text


def test_its_own_colors_stay():
    written = io.StringIO()
    SafeConsole(file=written, force_terminal=True, color_system="standard").print(Text("bad", "red"))

    assert "\x1b[31m" in written.getvalue()
