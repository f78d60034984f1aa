"""Maps high dynamic range (PQ and HLG, BT.2020) to what a standard screen shows (BT.709).

FFmpeg's own scaler can do it too, but it computes a table for 15 seconds first; a pool frame is small, so arithmetic is
faster. Formulas: SMPTE ST 2084, ITU-R BT.2100 (both curves), BT.2087 (colours), BT.2408 (white at 203 cd/m²), and
Hable's curve (2010).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.media import Floats, Rgb

PQ, HLG = 16, 18
"""FFmpeg's numbers of the two transfer characteristics."""

_WHITE_NITS: Final = 203.0
_HLG_PEAK_NITS: Final = 1000.0
_PEAK: Final = 1000.0 / _WHITE_NITS
"""What is mapped to the screen's white: highlights of 1000 cd/m², as films are mostly graded."""

_TO_709: Final = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def to_sdr(image: npt.NDArray[np.uint16], transfer: int) -> Rgb:
    """[height, width, 3] of 16-bit coded BT.2020 light to 8-bit BT.709."""
    coded = image.astype(np.float32) / 65535.0
    light = _pq_light(coded) if transfer == PQ else _hlg_light(coded)
    mapped = _compressed(np.maximum(light @ _TO_709.T, 0.0))
    return np.asarray(np.round(255.0 * mapped ** (1 / 2.4)), dtype=np.uint8)


def _pq_light(coded: Floats) -> Floats:
    """Light in units of reference white."""
    power = coded ** np.float32(1 / 78.84375)
    linear = np.maximum(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)
    light: Floats = 10_000.0 / _WHITE_NITS * linear ** np.float32(1 / 0.1593017578125)
    return light


def _hlg_light(coded: Floats) -> Floats:
    """Light of a display of 1000 cd/m², in units of reference white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3.0, (np.exp((coded - c) / a) + b) / 12.0)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    light: Floats = (_HLG_PEAK_NITS / _WHITE_NITS * luminance[..., None] ** 0.2 * scene).astype(np.float32)
    return light


def _compressed(light: Floats) -> Floats:
    """Scales each pixel by what the curve does to its strongest channel, so that colours keep their hue."""
    strongest = light.max(axis=-1, keepdims=True)
    scale = _hable(strongest) / _hable(np.full(1, _PEAK, np.float32)) / np.maximum(strongest, 1e-6)
    mapped: Floats = np.clip(light * scale, 0.0, 1.0).astype(np.float32)
    return mapped


def _hable(light: Floats) -> Floats:
    a, b, c, d, e, f = 0.15, 0.50, 0.10, 0.20, 0.02, 0.30
    value: Floats = ((light * (a * light + c * b) + d * e) / (light * (a * light + b) + d * f) - e / f).astype(
        np.float32
    )
    return value
