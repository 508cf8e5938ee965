"""The prior deviation of a row against the tables from which it was taken."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import median

import pytest

from assay.studies.prior import prior_deviation

RESULTS = Path(__file__).parents[2] / "results"
STUDIES = ("activation", "bn-smoothness", "optimizer", "stem", "weight-decay")
SHARED = {"relu", "SGD, lr 0.1", "3x3, stride 1", "L2 1e-5"}  # one and the same control


def deviations(study: str) -> list[float]:
    with (RESULTS / f"{study}-quick" / "table.csv").open() as file:
        return [float(row["accuracy_std_points"]) for row in csv.DictReader(file) if row["row"] not in SHARED]


@pytest.mark.parametrize("study", ["", *STUDIES, "a study of mine"])
def test_it_is_the_median_of_the_rows_of_other_studies(study: str) -> None:
    expected = median(value for other in STUDIES if other != study for value in deviations(other))
    assert prior_deviation(study) == pytest.approx(expected, abs=0.001)
