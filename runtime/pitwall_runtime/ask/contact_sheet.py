"""Draws a contact sheet: the chosen frames with their times in one PNG."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pitwall_runtime.media import clock

_COLUMNS = 4
_GAP_PX = 4
_LABEL_PX = 18


def save_sheet(jpegs: Sequence[bytes], seconds: Sequence[float], target: Path) -> None:
    """Frames in time order, four a row, each with its time in the corner. Raises OSError if it cannot be written."""
    images = [Image.open(io.BytesIO(jpeg)).convert("RGB") for jpeg in jpegs]
    width, height = images[0].size
    columns = min(_COLUMNS, len(images))
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (width + _GAP_PX), rows * (height + _GAP_PX)), "white")
    for position, (image, at) in enumerate(zip(images, seconds, strict=True)):
        _write_time(image, clock(at))
        row, column = divmod(position, columns)
        sheet.paste(image, (column * (width + _GAP_PX), row * (height + _GAP_PX)))
    sheet.save(target, "PNG")


def _write_time(image: Image.Image, text: str) -> None:
    font = ImageFont.load_default(size=_LABEL_PX)
    draw = ImageDraw.Draw(image)
    box = draw.textbbox((4, 2), text, font=font)
    draw.rectangle((0, 0, box[2] + 4, box[3] + 4), fill="black")
    draw.text((4, 2), text, fill="white", font=font)
