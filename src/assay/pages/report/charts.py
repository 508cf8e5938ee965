"""What the charts of the page share: their colours, their plain style, and how numbers are rounded."""

from __future__ import annotations

import colorsys
import math
from typing import Any

Spec = dict[str, Any]
COLOURS = (
    "#4178bc",
    "#d9822b",
    "#3f9b66",
    "#c0504d",
    "#8d6cc0",
    "#a5713d",
    "#cf6da9",
    "#7f8790",
    "#9a9a2e",
    "#2ca3b3",
)


def palette(count: int) -> list[str]:
    """So many colours that are told apart on white and on black: a chosen ten, or hues all around the circle."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    wheel = [colorsys.hls_to_rgb(place / count, 0.5 + 0.08 * (-1) ** place, 0.55) for place in range(count)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in wheel]


def plain(chart: Any) -> Spec:
    """The specification without an address or colours of its own: the page's styles dress it."""
    spec: Spec = chart.to_dict()
    spec.pop("$schema", None)
    font = "system-ui, sans-serif"
    spec["config"] = {
        "background": None,
        "font": font,
        "view": {"stroke": None},
        "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "domain": False, "ticks": False,
                 "labelPadding": 6, "titlePadding": 8, "gridOpacity": 0.5},
    }  # fmt: skip
    return spec


def rounded(value: float) -> float | None:
    """To five figures, which no screen shows more of."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
