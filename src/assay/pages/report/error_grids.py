"""The page's tables of what runs get wrong."""

from __future__ import annotations

from assay.analysis.errors.results import Errors
from assay.pages.report.content import RunPart
from assay.pages.report.grid import MISSING, Cell, Grid, Head, number, percent


def by_class(run: RunPart) -> Grid:
    """Return each class's accuracy, its images and what it is most often taken for, the worst class first."""
    assert run.evaluation is not None
    rows = tuple(
        (
            Cell(one.name),
            Cell(MISSING) if one.accuracy is None else percent(one.accuracy, bar=True),
            number(one.images),
            Cell(f"{one.taken_for} ({one.times})" if one.times else MISSING),
        )
        for one in run.evaluation.class_results()
    )
    heads = (
        Head("class", numeric=False),
        Head("accuracy"),
        Head("images"),
        Head("most often taken for", numeric=False),
    )
    return Grid(f"Accuracy of each class on the {run.split} images", heads, rows)


def confusions(errors: Errors) -> Grid:
    """Return the pairs of classes that are confused most often."""
    heads = (Head("label", numeric=False), Head("answered", numeric=False), Head("images"), Head("of the label's"))
    rows = tuple(
        (Cell(pair.label), Cell(pair.predicted), number(pair.count, ",.4g"), percent(pair.share, bar=True))
        for pair in errors.confusions
    )
    return Grid("The most frequent confusions", heads, rows)


def wrong_in_runs(errors: Errors) -> Grid:
    """Return how many images are wrong in 0, 1, 2... of the runs, beside what independent runs would give."""
    heads = (
        Head("wrong in", hint="how many of the runs"),
        Head("images"),
        Head("if independent", hint="on average, if every run erred as often as it does, but on images of its own"),
    )
    rows = tuple(
        (number(row.runs, "d", unit=f" of {len(errors.runs)}"), number(row.images), number(row.if_independent, ",.1f"))
        for row in errors.wrong_in_runs
    )
    return Grid("Images by the number of runs that get them wrong", heads, rows)
