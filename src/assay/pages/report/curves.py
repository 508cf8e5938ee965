"""The curves of runs: Vega-Lite specifications, the numbers that they draw, and their description in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt

from assay.base.json_files import JsonObject
from assay.pages.report.charts import Spec, palette, plain, rounded
from assay.pages.report.content import RunPart
from assay.pages.report.run_grids import warning_of
from assay.pages.report.seeds import SeedGroup, seed_groups

_POINTS = 250  # of a run; of more epochs, evenly spaced ones are drawn, besides the last and each curve's best
_DASHES = {"train": [3, 3], "held-out": [1, 0], "test": [9, 4], "": [1, 0]}  # "": belongs to no split
# Zoom only with a key held down: a plain wheel scrolls the page, over a chart too.
_ZOOM_ON = "wheel![event.ctrlKey || event.metaKey || event.shiftKey]"


@dataclass(frozen=True)
class CurveChart:
    """A chart of one quantity over the epochs, with curves of all runs.

    Attributes:
        title: of the chart.
        unit: of its numbers.
        fields: for each split, the field of a run's rows; the key is empty for what belongs to no split.
        scale: factor of the drawn numbers.
        form: a d3 format of the axis' numbers; None leaves it to Vega.
        zero: whether the axis begins at 0.
        best: returns the best of some numbers; None if no number is better than another.
    """

    title: str
    unit: str
    fields: Mapping[str, str]
    scale: float = 1.0
    form: str | None = None
    zero: bool = False
    best: Callable[[Iterable[float]], float] | None = None


def _of_splits(name: str) -> dict[str, str]:
    return {split: f"{split.replace('-', '_')}_{name}" for split in _DASHES if split}


CHARTS = {
    "loss": CurveChart("Loss", "nats", _of_splits("loss"), zero=True, best=min),
    "accuracy": CurveChart("Accuracy", "%", _of_splits("accuracy"), 100, best=max),
    "lr": CurveChart("Learning rate", "of the epoch's last step", {"": "lr"}, zero=True),
    "speed": CurveChart("Images per second", "while training", {"": "images_per_second"}, form="~s", zero=True),
}


def curves(runs: Sequence[RunPart]) -> list[dict[str, Any]]:
    """Return what the charts of curves draw: for each run its key, name, colour, epochs, and a list for each field.

    Before them stand the means of runs that differ in the seed alone, with the ends of the 95 % interval of each field;
    ``is_one_of`` marks the runs behind a mean, which the page shows when they are asked for. Of a long run there is one
    epoch in ``every``, besides the last and those of the curves' best values. Numbers are rounded to five figures;
    those that are not finite are None.
    """
    colours, groups = _colours(runs), seed_groups(runs)
    members = {run.key for group in groups for run in group.runs}
    means = [_mean_curves(group, colours[group.runs[0].key]) for group in groups]
    return [*means, *({**_curves_of(run, colours[run.key]), "is_one_of": run.key in members} for run in runs)]


def curve_specs(runs: Sequence[RunPart]) -> dict[str, Spec]:
    """Return each chart's specification for these runs; the page gives it its data under the name ``rows``."""
    has_bands = bool(seed_groups(runs))
    return {name: _specification(name, has_bands=has_bands) for name in CHARTS}


def in_words(chart: CurveChart, data: Sequence[Mapping[str, Any]], most: int = 8) -> str:
    """Describe a chart of curves, for readers who cannot see it."""
    runs = []
    for run in data[:most]:
        ends = [
            f"{split} from {values[0]:.3g} to {values[-1]:.3g}"
            for split, name in chart.fields.items()
            if (values := [value for value in run.get(name, ()) if value is not None])
        ]
        runs.append(f"{run['name']}: {', '.join(ends).strip() or 'no values yet'}")
    more = f"; and {len(data) - most} more runs" if len(data) > most else ""
    table = f"The table below has {sampled(data) or 'all values'}."
    return f"{chart.title} ({chart.unit}) over the epochs. {'; '.join(runs)}{more}. {table}"


def sampled(data: Sequence[Mapping[str, Any]]) -> str:
    """Return in words which epochs the charts and their tables have; empty if they have all."""
    every = max((run["every"] for run in data), default=1)
    of_which = " of the longest run" if len({run["every"] for run in data}) > 1 else ""
    return f"one epoch in {every}{of_which}, the last, and each curve's best" if every > 1 else ""


def _colours(runs: Sequence[RunPart]) -> dict[str, str]:
    return dict(zip([run.key for run in runs], palette(len(runs)), strict=True))


def _mean_curves(group: SeedGroup, colour: str) -> dict[str, Any]:
    """The means of a group's curves, and the ends of their intervals under ``FIELD_low`` and ``FIELD_high``."""
    metrics = group.rows("epoch")[0]
    step = math.ceil(len(metrics) / _POINTS) or 1
    kept = sorted({*range(0, len(metrics), step), *range(len(metrics))[-1:]})
    fields: dict[str, list[Any]] = {}
    for chart in CHARTS.values():
        for name in chart.fields.values():
            points = group.over_seeds(name, kept)
            for end, field in (("mean", name), ("low", f"{name}_low"), ("high", f"{name}_high")):
                values = [point and rounded(getattr(point, end), chart.scale) for point in points]
                fields |= {field: values} if any(points) else {}
    notes = {warning_of(record) for record in group.records} - {""}
    about = {"key": group.key, "name": group.name, "colour": colour, "note": "; ".join(sorted(notes))}
    return {**about, "is_one_of": False, "epochs": [metrics[place]["epoch"] for place in kept], "every": step, **fields}


def _curves_of(run: RunPart, colour: str) -> dict[str, Any]:
    about = {"key": run.key, "name": run.name, "colour": colour}
    if run.record is None:
        return {**about, "note": "", "epochs": [], "every": 1}
    metrics, timings = run.record.metrics, run.record.timings
    step = math.ceil(len(metrics) / _POINTS) or 1  # no epochs yet make 0
    kept = sorted({*range(0, len(metrics), step), *range(len(metrics))[-1:], *_best_places(metrics)})
    fields = {
        # An epoch's times are written after its metrics, and may not be there yet.
        name: [rounded(rows[place].get(name), chart.scale) if place < len(rows) else None for place in kept]
        for chart in CHARTS.values()
        for name in chart.fields.values()
        for rows in [timings if name == "images_per_second" else metrics]
    }
    known = {name: values for name, values in fields.items() if any(value is not None for value in values)}
    epochs = [metrics[place]["epoch"] for place in kept]
    return {**about, "note": warning_of(run.record), "epochs": epochs, "every": step, **known}


def _best_places(metrics: Sequence[JsonObject]) -> Iterator[int]:
    """Yield the row in which each curve of a loss or an accuracy is best."""
    for chart in CHARTS.values():
        for name in chart.fields.values():
            values = [row.get(name) for row in metrics]
            finite = [value for value in values if value is not None and math.isfinite(value)]
            if chart.best and finite:
                yield values.index(chart.best(finite))


@cache  # Altair takes half a second for each
def _specification(name: str, *, has_bands: bool) -> Spec:
    """The chart of a quantity: lines, and below them bands from ``low`` to ``high``, which of a single run are one."""
    drawn = CHARTS[name]
    zoom = alt.selection_interval(name="zoom", bind="scales", zoom=_ZOOM_ON)
    pointed = alt.param(name="pointed", value="")
    faded = alt.condition("pointed === '' || pointed === datum.run", alt.value(1.0), alt.value(0.15))
    dashes = alt.Scale(domain=list(_DASHES), range=list(_DASHES.values()))
    epochs = alt.Axis(tickMinStep=1, grid=False, format="d")
    colour = alt.Color("colour:N", scale=None)  # as it stands in the rows
    value = alt.Axis(format=drawn.form or alt.Undefined)
    band = (
        alt.Chart()
        .mark_area(clip=True)
        .encode(
            x=alt.X("epoch:Q"),
            y=alt.Y("low:Q", title=None),
            y2="high:Q",
            color=colour,
            detail=["run:N", "split:N"],
            opacity=alt.condition("pointed === '' || pointed === datum.run", alt.value(0.2), alt.value(0.05)),
        )
    )
    lines = (
        alt.Chart()
        .mark_line(clip=True, strokeCap="round")  # a round cap makes a dot of a curve with a single epoch
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=epochs, scale=alt.Scale(nice=False, zero=False)),
            y=alt.Y("value:Q", title=None, axis=value, scale=alt.Scale(zero=drawn.zero)),
            color=colour,
            strokeDash=alt.StrokeDash("split:N", scale=dashes, legend=None),
            strokeWidth=alt.condition("datum.alone", alt.value(8), alt.value(1.8)),
            detail=["run:N", "split:N"],
            opacity=faded,
        )
        .add_params(zoom)
    )
    layers = [band, lines] if has_bands else [lines]
    chart = alt.layer(*layers, data=alt.NamedData("rows")).add_params(pointed)
    return plain(chart.properties(width="container", height=250))
