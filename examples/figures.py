"""Figures for the example PDFs: a cross-section, plots and a block diagram.

Depends on reportlab, not on the documents. Each figure is drawn 440 points wide and
scaled to the requested width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from reportlab.graphics.shapes import Drawing, Group, Line, PolyLine, Rect, String
from reportlab.lib import colors

WIDTH = 440.0
STEEL = colors.HexColor("#5c6b75")
FOAM = colors.HexColor("#f3e3b3")
ARGON = colors.HexColor("#cfe6f5")
INK = colors.HexColor("#1f3a4d")
ACCENT = colors.HexColor("#b5472f")


def cryostat(width: float) -> Drawing:
    """Draw a cross-section of the cryostat with its dimensions."""
    art = Group()
    _box(art, 90, 20, 260, 220, FOAM)
    _box(art, 123, 53, 194, 170, colors.white)
    _box(art, 123, 53, 194, 150, ARGON)
    art.add(Line(165, 70, 165, 186, strokeColor=ACCENT, strokeWidth=3))
    art.add(Line(272, 70, 272, 186, strokeColor=INK, strokeWidth=3))
    for step in range(1, 25):
        x = 165 + step * 107 / 25
        art.add(Line(x, 68, x, 72, strokeColor=STEEL))
        art.add(Line(x, 184, x, 188, strokeColor=STEEL))
    _box(art, 158, 223, 14, 34, STEEL)
    _box(art, 265, 223, 14, 34, STEEL)
    _note(art, 176, 247, "HV feedthrough")
    _note(art, 284, 247, "signal chimney")
    _note(art, 130, 120, "cathode")
    _note(art, 277, 120, "anode")
    _note(art, 190, 125, "drift 1.20 m")
    _note(art, 130, 207, "gas")
    _note(art, 178, 57, "liquid argon")
    _note(art, 168, 33, "foam, 410 mm")
    _leader(art, (20, 133), (90, 133), "outer skin")
    _leader(art, (365, 203), (317, 203), "liquid level")
    _leader(art, (365, 90), (317, 90), "inner vessel")
    return _scaled(art, 265, width)


def lifetime_plot(width: float) -> Drawing:
    """Plot electron lifetime against days of circulation, with the requirement."""
    art = Group()
    _axes(art, "days of circulation", "lifetime (ms)", 24, 5)
    points = [_at(day, 4.1 * (1 - math.exp(-day / 6.2)), 24, 5) for day in range(25)]
    for x, y in points:
        art.add(Line(x, y - 7, x, y + 7, strokeColor=STEEL))
        _box(art, x - 2, y - 2, 4, 4, INK)
    left, right = _at(0, 3, 24, 5), _at(24, 3, 24, 5)
    art.add(Line(*left, *right, strokeColor=ACCENT, strokeDashArray=[4, 3]))
    _note(art, 70, left[1] + 5, "requirement, 3 ms")
    return _scaled(art, 220, width)


def noise_plot(width: float) -> Drawing:
    """Plot noise against frequency, with and without the pump running."""
    art = Group()
    _axes(art, "frequency (kHz)", "noise (a.u.)", 60, 10)
    quiet: list[float] = []
    pumped: list[float] = []
    for step in range(0, 121):
        khz = step / 2
        base = 1.4 + 2.2 * math.exp(-khz / 14)
        peak = sum(
            6 * math.exp(-(((khz - at) / 0.7) ** 2)) / (1 + at / 30) for at in (16, 32)
        )
        quiet += _at(khz, base, 60, 10)
        pumped += _at(khz, base + peak, 60, 10)
    art.add(PolyLine(pumped, strokeColor=ACCENT, strokeWidth=1.2))
    art.add(PolyLine(quiet, strokeColor=INK, strokeWidth=1.2))
    _note(art, 300, 180, "pump at 80 % speed", ACCENT)
    _note(art, 300, 166, "pump off", INK)
    return _scaled(art, 220, width)


def circulation(width: float) -> Drawing:
    """Draw a block diagram of the circulation loop."""
    art = Group()
    names = ("bath", "pump", "O2 filter", "sieve", "return")
    for place, name in enumerate(names):
        x = 8 + place * 88
        _box(art, x, 30, 66, 34, ARGON if name in ("bath", "return") else FOAM)
        _note(art, x + 33, 43, name, anchor="middle")
        if place:
            art.add(Line(x - 22, 47, x, 47, strokeColor=INK))
            art.add(Line(x - 6, 51, x, 47, strokeColor=INK))
            art.add(Line(x - 6, 43, x, 47, strokeColor=INK))
    _note(art, 220, 12, "flow 8.0 L/min at nominal speed", anchor="middle")
    return _scaled(art, 72, width)


FIGURES: dict[str, Callable[[float], Drawing]] = {
    "cryostat": cryostat,
    "lifetime": lifetime_plot,
    "noise": noise_plot,
    "circulation": circulation,
}


def _scaled(art: Group, height: float, width: float) -> Drawing:
    """Return the group as a drawing of the requested width."""
    scale = width / WIDTH
    drawing = Drawing(width, height * scale)
    art.transform = (scale, 0, 0, scale, 0, 0)
    drawing.add(art)
    return drawing


def _at(x: float, y: float, x_max: float, y_max: float) -> tuple[float, float]:
    """Return the coordinates of a value in a plot."""
    return 50 + 370 * x / x_max, 40 + 160 * y / y_max


def _axes(art: Group, x_name: str, y_name: str, x_max: float, y_max: float) -> None:
    """Add a frame with ticks and the names of both axes."""
    _box(art, 50, 40, 370, 160, colors.white)
    for tick in range(6):
        x, y = _at(x_max * tick / 5, y_max * tick / 5, x_max, y_max)
        art.add(Line(x, 40, x, 44, strokeColor=INK))
        art.add(Line(50, y, 54, y, strokeColor=INK))
        _note(art, x, 27, f"{x_max * tick / 5:g}", anchor="middle")
        _note(art, 45, y - 3, f"{y_max * tick / 5:g}", anchor="end")
    _note(art, 235, 10, x_name, anchor="middle")
    _note(art, 50, 206, y_name)


def _box(
    art: Group, x: float, y: float, width: float, height: float, fill: colors.Color
) -> None:
    """Add a filled rectangle."""
    rect = Rect(x, y, width, height)
    rect.fillColor, rect.strokeColor, rect.strokeWidth = fill, INK, 0.8
    art.add(rect)


def _note(
    art: Group,
    x: float,
    y: float,
    text: str,
    color: colors.Color = INK,
    anchor: Literal["start", "middle", "end"] = "start",
) -> None:
    """Add a short label."""
    label = String(x, y, text, fontName="Helvetica", fontSize=10, fillColor=color)
    label.textAnchor = anchor
    art.add(label)


def _leader(
    art: Group, start: tuple[float, float], end: tuple[float, float], text: str
) -> None:
    """Add a label with a line to the part it names."""
    art.add(Line(*start, *end, strokeColor=INK, strokeWidth=0.6))
    _note(art, start[0], start[1] + 4, text)
