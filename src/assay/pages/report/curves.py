"""The curves of runs: Vega-Lite specifications, the numbers that they draw, and the same in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from assay.base.json_files import JsonObject
from assay.pages.report.charts import Spec, palette, plain, rounded
from assay.pages.report.collect import RunPart
from assay.pages.report.grids import OPTIMISTIC, is_optimistic

_POINTS = 250  # of a run at most; of more epochs, evenly spaced ones, besides the last and each curve's best
_DASHES = {"train": [3, 3], "held-out": [1, 0], "test": [9, 4], "": [1, 0]}  # the last of what belongs to no split
# A plain wheel scrolls the page, over a chart too.
_ZOOM_ON = "wheel![event.ctrlKey || event.metaKey || event.shiftKey]"


@dataclass(frozen=True)
class Measure:
    """What a chart of curves shows.

    Attributes:
        title: of the chart.
        unit: of its numbers.
        fields: for each kind of curve the field of a run's rows.
        scale: what the numbers are multiplied by.
        form: of the axis' numbers, as d3 takes it; None leaves it to the chart.
        zero: whether the axis begins at 0.
        best: picks the best of its numbers; None where none is.
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


MEASURES = {
    "loss": Measure("Loss", "nats", _of_splits("loss"), zero=True, best=min),
    "accuracy": Measure("Accuracy", "%", _of_splits("accuracy"), 100, best=max),
    "lr": Measure("Learning rate", "of the epoch's last step", {"": "lr"}, zero=True),
    "speed": Measure("Images per second", "while training", {"": "images_per_second"}, form="~s", zero=True),
}


def curves(runs: Sequence[RunPart]) -> list[dict[str, Any]]:
    """What the charts of curves draw: for each run its key, name, colour, epochs, and under each field a list.

    Of a long run there is one epoch in ``every``, besides the last and those of the curves' best values. Numbers are
    rounded to five figures; those that are not finite are None.
    """
    colours = palette(len(runs))
    return [_curves_of(run, colour) for run, colour in zip(runs, colours, strict=True)]


def curve_specs(runs: Sequence[RunPart]) -> dict[str, Spec]:
    """The specification of each measure's chart, for these runs; its rows come under the name ``rows``."""
    colours = dict(zip([run.key for run in runs], palette(len(runs)), strict=True))
    return {name: _curve_chart(measure, colours) for name, measure in MEASURES.items()}


def in_words(measure: Measure, data: Sequence[Mapping[str, Any]], most: int = 8) -> str:
    """What a chart of curves shows, for those who do not see it."""
    said = []
    for run in data[:most]:
        ends = [
            f"{split} from {_said(values[0])} to {_said(values[-1])}"
            for split, name in measure.fields.items()
            if (values := [value for value in run.get(name, ()) if value is not None])
        ]
        said.append(f"{run['name']}: {', '.join(ends).strip() or 'no values yet'}")
    more = f"; and {len(data) - most} more runs" if len(data) > most else ""
    table = f"The table below has {sampled(data) or 'all values'}."
    return f"{measure.title} ({measure.unit}) over the epochs. {'; '.join(said)}{more}. {table}"


def sampled(data: Sequence[Mapping[str, Any]]) -> str:
    """Which epochs the charts and their tables have; empty where they have all."""
    every = max((run["every"] for run in data), default=1)
    of_which = " of the longest run" if len({run["every"] for run in data}) > 1 else ""
    return f"one epoch in {every}{of_which}, the last, and each curve's best" if every > 1 else ""


def _curves_of(run: RunPart, colour: str) -> dict[str, Any]:
    warning = OPTIMISTIC if run.record is not None and is_optimistic(run.record) else ""
    about = {"key": run.key, "name": run.name, "colour": colour, "note": warning}
    if run.record is None:
        return {**about, "epochs": [], "every": 1}
    metrics, timings = run.record.metrics, run.record.timings
    step = math.ceil(len(metrics) / _POINTS) or 1
    kept = sorted({*range(0, len(metrics), step), *range(len(metrics))[-1:], *_best_places(metrics)})
    fields = {
        name: [_scaled(rows[place].get(name), measure.scale) if place < len(rows) else None for place in kept]
        for measure in MEASURES.values()
        for name in measure.fields.values()
        for rows in [timings if name == "images_per_second" else metrics]
    }
    known = {name: values for name, values in fields.items() if any(value is not None for value in values)}
    return {**about, "epochs": [metrics[place]["epoch"] for place in kept], "every": step, **known}


def _best_places(metrics: Sequence[JsonObject]) -> Iterator[int]:
    """Where each curve of a loss or an accuracy is best."""
    for measure in MEASURES.values():
        for name in measure.fields.values():
            values = [row.get(name) for row in metrics]
            finite = [value for value in values if value is not None and math.isfinite(value)]
            if measure.best and finite:
                yield values.index(measure.best(finite))


def _curve_chart(measure: Measure, colours: Mapping[str, str]) -> Spec:
    zoom = alt.selection_interval(name="zoom", bind="scales", zoom=_ZOOM_ON)
    pointed = alt.param(name="pointed", value="")
    faded = alt.condition("pointed === '' || pointed === datum.run", alt.value(1.0), alt.value(0.15))
    dashes = alt.Scale(domain=list(_DASHES), range=list(_DASHES.values()))
    epochs = alt.Axis(tickMinStep=1, grid=False, format="d")
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_line(clip=True, strokeCap="round")  # with which a curve of a single epoch is a dot
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=epochs, scale=alt.Scale(nice=False, zero=False)),
            y=alt.Y(
                "value:Q",
                title=None,
                axis=alt.Axis(format=measure.form or alt.Undefined),
                scale=alt.Scale(zero=measure.zero),
            ),
            color=alt.Color("run:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=None),
            strokeDash=alt.StrokeDash("split:N", scale=dashes, legend=None),
            strokeWidth=alt.condition("datum.alone", alt.value(8), alt.value(1.8)),
            detail=["run:N", "split:N"],
            opacity=faded,
        )
        .add_params(zoom, pointed)
    )
    return plain(chart.properties(width="container", height=250))


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else rounded(scale * value)


def _said(value: float) -> str:
    return f"{value:.3g}"
