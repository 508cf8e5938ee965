"""The charts of what a run got wrong, calibration and the confusion matrix, with the numbers that they draw."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt

from assay.analysis.errors.results import Calibration
from assay.pages.report.charts import COLOURS, Spec, plain, rounded
from assay.pages.report.content import RunPart


def calibration_rows(calibration: Calibration) -> list[dict[str, float | int]]:
    """Return a row for each range of confidence that has answers; all but the number of images is in percent."""
    rows = []
    for one in calibration.bins:
        if one.interval is not None:
            shares = {field: getattr(one, field) for field in ("low", "high", "accuracy", "confidence")}
            shares |= zip(("accuracy_low", "accuracy_high"), one.interval, strict=True)
            rows.append({**{name: rounded(share, 100) or 0 for name, share in shares.items()}, "images": one.images})
    return rows


@cache
def calibration_spec() -> Spec:
    """Return the chart of accuracy over confidence, with the diagonal where both are equal; it serves all runs."""
    base = alt.Chart(alt.NamedData("rows"))
    tooltip = [
        alt.Tooltip("low:Q", title="confidence from (%)", format=".1f"),
        alt.Tooltip("high:Q", title="to (%)", format=".1f"),
        alt.Tooltip("accuracy:Q", title="accuracy (%)", format=".1f"),
        alt.Tooltip("accuracy_low:Q", title="95 % interval from (%)", format=".1f"),
        alt.Tooltip("accuracy_high:Q", title="95 % interval to (%)", format=".1f"),
        alt.Tooltip("confidence:Q", title="mean confidence (%)", format=".1f"),
        alt.Tooltip("images:Q", title="images"),
    ]
    whole = alt.Scale(domain=[0, 100])
    bars = base.mark_bar(color=COLOURS[0], opacity=0.75).encode(
        x=alt.X("low:Q", scale=whole, title="confidence (%)", bin="binned"),  # the rows have the bins' ends
        x2="high:Q",
        y=alt.Y("accuracy:Q", scale=whole, title="accuracy (%)"),
        tooltip=tooltip,
    )
    intervals = base.mark_rule(color="#888888").encode(
        x=alt.X("confidence:Q", scale=whole),
        y=alt.Y("accuracy_low:Q", scale=whole),
        y2="accuracy_high:Q",
        tooltip=tooltip,
    )
    ends = alt.Chart(alt.InlineData(values=[{"at": 0}, {"at": 100}]))
    diagonal = ends.mark_line(color="#888888", strokeDash=[4, 4]).encode(
        x=alt.X("at:Q", title="confidence (%)"), y=alt.Y("at:Q", title="accuracy (%)")
    )
    return plain(alt.layer(bars, intervals, diagonal).properties(width="container", height=240))


def confusion_rows(run: RunPart) -> dict[str, Any]:
    """Return the classes, their numbers of images, and the cells that are not 0 as ``[label, answer, count]``."""
    assert run.evaluation is not None
    counts = run.evaluation.confusion
    cells = [[label, answer, int(counts[label, answer])] for label, answer in counts.nonzero().tolist()]
    return {"classes": list(run.evaluation.classes), "totals": counts.sum(dim=1).tolist(), "cells": cells}


@cache
def confusion_spec(classes: int) -> Spec:
    """Return the chart with a square for each pair of classes, the darker the more of the label's images are in it."""
    axis = alt.Axis(labelOverlap=False, labelFontSize=8, labelLimit=90, grid=False)
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_rect(color=COLOURS[0])
        .encode(
            # Without sorting: the classes keep their order.
            x=alt.X("answered:N", sort=None, title="answered", axis=axis),
            y=alt.Y("label:N", sort=None, title="label", axis=axis),
            # Even the lightest cell differs from an empty one.
            opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 100], range=[0.06, 1]), legend=None),
            tooltip=[
                alt.Tooltip("label:N"),
                alt.Tooltip("answered:N"),
                alt.Tooltip("images:Q"),
                alt.Tooltip("share:Q", title="percent of the label's", format=".1f"),
            ],
        )
    )
    return plain(chart.properties(width=9 * classes, height=9 * classes))
