"""The sheet shows each choice in its own colour, on the curve, on its lane, and as pictures with their times."""

import io

import numpy as np
import pytest
from PIL import Image

from pitwall_runtime.ask import sheet
from pitwall_runtime.ask.sheet import COLOURS, SheetData, SheetRow, save_sheet
from pitwall_runtime.media import Shot


def jpeg(index, size=(160, 90)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (0, 255, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def data(*rows, scores=None, question="Where?", jpeg=jpeg):
    scores = np.linspace(0, 1, 100, dtype=np.float32) if scores is None else scores
    count = len(scores)
    edges = np.arange(count + 1, dtype=np.float64)
    return SheetData(question, edges, [Shot(0, count)], scores, rows, jpeg)


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def pixels_of(path, colour):
    """Where the sheet has exactly this colour, as [rows, columns]."""
    image = opened(path)
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return np.nonzero((image == wanted).all(axis=2))


def test_each_choice_is_marked_at_its_time_in_its_own_colour(tmp_path):
    rows = (SheetRow("early", (10,), {}), SheetRow("late", (90,), {}))
    save_sheet(data(*rows), tmp_path / "sheet.png")
    axis = 1600 - sheet.MARGIN - sheet.LEFT
    lanes = sheet.MARGIN + 64 + sheet.CURVE_HEIGHT + 34

    for number, share in enumerate((0.105, 0.905)):
        rows, columns = pixels_of(tmp_path / "sheet.png", COLOURS[number])
        top = lanes + number * sheet.LANE_HEIGHT
        marks = columns[(rows > top) & (rows < top + 20) & (columns > sheet.LEFT)]
        assert np.median(marks) == pytest.approx(sheet.LEFT + share * axis, abs=2)


def test_as_many_pictures_as_frames_are_there(tmp_path):
    save_sheet(data(SheetRow("many", tuple(range(0, 100, 5)), {})), tmp_path / "sheet.png")
    image = opened(tmp_path / "sheet.png").astype(int)
    green = (image[:, :, 1] > 200) & (image[:, :, 0] < 90) & (image[:, :, 2] < 90)
    pictures = int((np.diff(green.any(axis=1).astype(int)) == 1).sum())

    assert pictures == 3, "twenty frames stand in three rows of at most eight"


def test_the_sheet_of_a_film_of_narrow_pictures_is_no_tower(tmp_path):
    def narrow(index):
        return jpeg(index, (4, 240))

    save_sheet(data(SheetRow("many", tuple(range(16)), {}), jpeg=narrow), tmp_path / "sheet.png")
    assert opened(tmp_path / "sheet.png").shape[0] < 2000


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(data(SheetRow("x", (0,), {}), scores=np.zeros(1, np.float32)), id="one frame"),
        pytest.param(data(SheetRow("x", (5,), {}), scores=np.full(9, 0.5, np.float32)), id="constant scores"),
        pytest.param(data(*(SheetRow(f"{k}" * 80, (k,), {"reason": "w" * 400}) for k in range(6))), id="long words"),
        pytest.param(
            data(SheetRow("x", (1,), {"curve": (0.1, 0.2), "best": 0.5}), question="い" * 300), id="a question"
        ),
    ],
)
def test_odd_data_is_drawn_too(given, tmp_path):
    save_sheet(given, tmp_path / "sheet.png")
    assert opened(tmp_path / "sheet.png").shape[1] == 1600
