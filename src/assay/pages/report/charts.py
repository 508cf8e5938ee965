"""What the page's charts share: colours, a plain style, and the rounding of their numbers."""

from __future__ import annotations

import colorsys
import math
from typing import Any

Spec = dict[str, Any]
COLOURS = ["#4178bc", "#d9822b", "#3f9b66", "#c0504d", "#8d6cc0", "#a5713d", "#cf6da9", "#7f8790", "#9a9a2e", "#2ca3b3"]


def palette(count: int) -> list[str]:
    """Return colours that differ on white and on black: up to ten chosen ones, else hues all around the circle."""
    if count <= len(COLOURS):
        return COLOURS[:count]
    # Neighbours on the wheel differ in lightness too.
    wheel = [colorsys.hls_to_rgb(place / count, 0.5 + 0.08 * (-1) ** place, 0.55) for place in range(count)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in wheel]


def plain(chart: Any) -> Spec:
    """Return the chart's specification without colours of its own, which the page's styles set."""
    spec: Spec = chart.to_dict()
    spec.pop("$schema", None)  # an address outside, and the page names none
    spec["config"] = {
        "background": None,  # the page's own, which may be dark
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "domain": False, "ticks": False,
                 "labelPadding": 6, "titlePadding": 8, "gridOpacity": 0.5},
    }  # fmt: skip
    return spec


def rounded(value: float | None, scale: float = 1.0) -> float | None:
    """Return the scaled number with five figures, as many as a screen shows; None if it is missing or not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{scale * value:.5g}")
