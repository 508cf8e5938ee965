"""``assay compare``: the statistics of a study for scores that anything else has logged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from assay.base.registry import nearest
from assay.recipe.recipe import Recipe
from assay.studies.forms.plots import plot_forest
from assay.studies.forms.sentence import sentence
from assay.studies.outside.images import ImageInterval, over_images
from assay.studies.outside.logs import find_logs
from assay.studies.outside.runs import LoggedRun, Run, answers_in_order, named, numbered
from assay.studies.outside.tables import SUFFIXES, read_table
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.study import Row
from assay.studies.table import Table, make_table

Scores = Mapping[str, Mapping[int, float] | Sequence[float]]
"""scores by row: each by seed, or in the order of the seeds from 0 on; nan where a run was lost"""


@dataclass(frozen=True)
class Compared:
    """Rows compared with a control.

    Attributes:
        table: estimates, tests and verdicts.
        images: intervals of the differences over images, by row; empty without answers by image.
    """

    table: Table
    images: Mapping[str, ImageInterval]

    @property
    def sentences(self) -> list[str]:
        """What a paper would say of each row."""
        said = []
        for line in self.table.lines:
            if line.difference is not None:
                more = f" {self.images[line.name].in_words}" if line.name in self.images else ""
                said.append(sentence(line, self.table) + more)
        return said

    def plot(self) -> Figure:
        """Draw each row's difference to the control with its interval."""
        return plot_forest(self.table)


def compare(
    scores: str | Path | Sequence[str | Path] | Scores,
    *,
    control: str | None = None,
    metric: str | None = None,
    by: str = "row",
    chance: float | None = None,
    margin: float = 1.0,
) -> Compared:
    """Compare accuracies that anything has logged, as the rows of a study are.

    Args:
        scores: files (CSV or JSON lines), folders of logs, or scores by row. All in percent, or all from 0 to 1.
        control: the row with which the others are compared; by default the first.
        metric: the name of the logged accuracy, or the column that holds it; its last value counts. By default the
            only one whose name has "acc" and not "train"; in a table, ``score``.
        by: the column of a table that names the row.
        chance: the accuracy as which lost runs count, in percent: that of guessing.
        margin: the largest difference that counts as none, in percentage points, above 0.

    Raises:
        ValueError: one line that names what is wrong in which file or argument.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin: {margin:g} is not a number of percentage points above 0")
    if isinstance(scores, Mapping):
        runs, source, chosen = _given(scores), "given scores", ""
    else:
        paths = [Path(path) for path in ([scores] if isinstance(scores, str | Path) else scores)]
        runs, chosen = _read(paths, metric, by)
        source = ", ".join(map(str, paths))
    rows = _results(runs, chance)
    names = [row.row.name for row in rows]
    if control is not None and control not in names:
        raise ValueError(f"unknown control {control!r}: {nearest(control, names)}")
    if len(names) < 2:
        raise ValueError(f"{source}: one row, {names[0]!r}; at least two are compared")
    control = control or names[0]
    epoch = f"the last, by {chosen}" if chosen else ""
    setting = Setting("compare", "accuracies that others logged", source, "", "", "", epoch, (), control)
    table = make_table(StudyResults(setting, tuple(rows)), margin)
    return Compared(table, over_images(rows, control))


def _given(scores: Scores) -> list[Run]:
    return [
        Run(row, seed, float(score))
        for row, own in scores.items()
        for seed, score in (own.items() if isinstance(own, Mapping) else enumerate(own))
    ]


def _read(paths: Sequence[Path], metric: str | None, by: str) -> tuple[list[Run], str]:
    """The runs of all files and folders, and the metric that was read from logs; empty without logs."""
    runs: list[Run] = []
    logged: list[LoggedRun] = []
    for path in paths:
        if path.is_dir():
            logged += find_logs(path)
        elif not path.is_file():
            raise ValueError(f"{path}: no such file or folder")
        elif path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{path}: expected a folder of logs, or a file that ends in {' or '.join(SUFFIXES)}")
        else:
            runs += read_table(path, metric, by)
    if not logged:
        return runs, ""
    chosen = metric or _accuracy(logged)
    for one, (row, seed) in zip(logged, named(logged), strict=True):
        if not one.figures.get(chosen):
            raise ValueError(f"{one.folder}: no metric {chosen!r}: {nearest(chosen, one.figures)}")
        runs.append(Run(row, seed, one.figures[chosen][-1]))
    return runs, chosen


def _accuracy(logged: Sequence[LoggedRun]) -> str:
    """The metric that all runs have and that is an accuracy, but not of training."""
    shared = set.intersection(*(set(run.figures) for run in logged))
    found = sorted(name for name in shared if "acc" in name.lower() and "train" not in name.lower())
    if len(found) != 1:
        names = ", ".join(found or sorted(shared)) or "none"
        raise ValueError(f"which metric is the accuracy? Give --metric one of those that all runs have: {names}")
    return found[0]


def _results(runs: Sequence[Run], chance: float | None) -> list[RowResults]:
    """The rows, with all scores in percent and lost runs as diverged ones."""
    known = [run.score for run in runs if math.isfinite(run.score)]
    if not known:
        raise ValueError("no run has a score")
    factor = 100.0 if min(known) >= 0 and max(known) <= 1 else 1.0
    if not 0 <= min(known) <= max(known) * factor <= 100:
        raise ValueError(f"scores from {min(known):g} to {max(known):g}: expected accuracies from 0 to 1 or to 100 %")
    if chance is None and len(known) < len(runs):
        without = next(run for run in runs if not math.isfinite(run.score))
        raise ValueError(f"row {without.row!r}: a run has no score; give --chance, the accuracy as which it counts")
    answers = dict(zip(map(id, runs), answers_in_order(runs), strict=True))
    rows = []
    for name, own in numbered(runs).items():
        lost = tuple(seed for seed, run in own.items() if not math.isfinite(run.score))
        results = tuple(
            Result(seed, factor * run.score, correct=answers[id(run)])
            for seed, run in sorted(own.items())
            if seed not in lost
        )
        # Recipes of others are unknown; no part of a table reads them.
        failures = dict.fromkeys(lost, "no score")
        rows.append(RowResults(Row(name), Recipe(), results, failures, lost, math.nan if chance is None else chance))
    return rows
