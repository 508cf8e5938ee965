"""The numbers that the charts draw, and that their specifications are such."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import vl_convert

from assay.analysis.errors.results import Bin, Calibration
from assay.classifier.evaluation import Evaluation
from assay.pages.report import charts, curves, error_charts
from assay.pages.report.content import RunPart
from assay.recipe.recipe import Recipe
from assay.run.record import RunRecord


def run_of(key: str, losses: list[float | None]) -> RunPart:
    metrics = [
        {"epoch": place + 1, "train_loss": loss, "train_accuracy": 0.123456789} for place, loss in enumerate(losses)
    ]
    timings = [{"epoch": place + 1, "images_per_second": 10.0} for place in range(len(losses))]
    return RunPart(key, key.upper(), Path(key), RunRecord(Path(key), Recipe(), metrics, timings, {}, {}))


def test_curves_are_columns_of_rounded_numbers() -> None:
    (first, second) = curves.curves([run_of("a", [1.23456789, None, 0.5]), run_of("b", [])])
    assert first["epochs"] == [1, 2, 3]
    assert first["train_loss"] == [1.2346, None, 0.5]
    assert first["train_accuracy"] == [12.346] * 3
    assert first["images_per_second"] == [10.0] * 3
    assert not {"held_out_loss", "lr"} & first.keys()
    assert second["epochs"] == []


def test_long_curves_are_thinned_and_keep_their_ends_and_their_best() -> None:
    losses: list[float | None] = [float(place) for place in range(1, 1001)]
    losses[722], losses[723] = 0.5, None  # epochs 723 and 724, off the even steps
    (run,) = data = curves.curves([run_of("a", losses)])
    assert len(run["epochs"]) <= 257
    assert run["epochs"] == [*range(1, 722, 4), 723, *range(725, 1000, 4), 1000]
    assert run["train_loss"] == [0.5 if epoch == 723 else float(epoch) for epoch in run["epochs"]]
    assert curves.sampled(data) == "one epoch in 4, the last, and each curve's best"
    assert "all values" not in curves.in_words(curves.CHARTS["loss"], data)
    several = curves.curves([run_of("a", losses), run_of("b", [1.0])])
    assert curves.sampled(several).startswith("one epoch in 4 of the longest run")
    assert curves.sampled(several[1:]) == ""


@pytest.mark.parametrize("count", [1, 10, 11, 50])
def test_colours_differ(count: int) -> None:
    colours = charts.palette(count)
    assert len(set(colours)) == count
    assert all(len(colour) == 7 for colour in colours)


def test_calibration_leaves_out_ranges_without_answers() -> None:
    bins = (Bin(0.0, 0.5, 0, math.nan, math.nan), Bin(0.5, 1.0, 4, 0.9, 0.75))
    assert error_charts.calibration_rows(Calibration("run", 0.15, bins)) == [
        # of 3 in 4, as statsmodels' proportion_confint gives it
        {
            "low": 50.0,
            "high": 100.0,
            "accuracy": 75.0,
            "confidence": 90.0,
            "accuracy_low": 30.064,
            "accuracy_high": 95.441,
            "images": 4,
        }
    ]


def test_specifications_are_what_vega_lite_takes() -> None:
    specs = [
        *curves.curve_specs([run_of("a", [1.0]), run_of("b", [2.0])]).values(),
        error_charts.calibration_spec(),
        error_charts.confusion_spec(30),
    ]
    for spec in specs:
        assert "$schema" not in spec
        compiled = vl_convert.vegalite_to_vega({**spec, "datasets": {"rows": []}})
        assert compiled["marks"]


def test_curves_can_be_zoomed_by_the_signals_that_the_page_sets() -> None:
    (spec, *_) = curves.curve_specs([run_of("a", [1.0])]).values()
    compiled = vl_convert.vegalite_to_vega({**spec, "datasets": {"rows": []}})
    signals = {signal["name"] for signal in compiled["signals"]}
    assert {"zoom_epoch", "zoom_value", "pointed"} <= signals
    wheel = [
        one for one in itertools.chain(*(signal.get("on", []) for signal in compiled["signals"])) if "wheel" in str(one)
    ]
    assert wheel
    assert all("ctrlKey" in str(one["events"]) for one in wheel)


def test_confusions_are_the_cells_that_are_not_empty() -> None:
    labels, answers = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 0, 1, 1, 1])
    scores = torch.nn.functional.one_hot(answers).double()
    part = replace(run_of("a", [1.0]), evaluation=Evaluation(scores, labels, ("x", "y"), ["image"] * 6))
    assert error_charts.confusion_rows(part) == {
        "classes": ["x", "y"],
        "totals": [4, 2],
        "cells": [[0, 0, 3], [0, 1, 1], [1, 1, 2]],
    }


def test_a_chart_is_said_in_words() -> None:
    data = curves.curves([run_of("a", [2.0, 1.0]), run_of("b", [])])
    said = curves.in_words(curves.CHARTS["loss"], data)
    assert "A: train from 2 to 1" in said
    assert "B: no values yet" in said
    assert said.endswith("The table below has all values.")
    assert "and 1 more run" in curves.in_words(curves.CHARTS["loss"], data, most=1)
