"""The page's tables of runs: their results, recipes and environments, and what they get wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.analysis.errors.results import Errors
from assay.base.json_files import JsonObject
from assay.classifier.accuracy import shows_top5
from assay.pages.report.content import RunPart
from assay.pages.report.grid import MISSING, Cell, Grid, Head, number, percent
from assay.recipe.fields import field_names
from assay.run.record import RunRecord
from assay.run.selection import SELECTION
from assay.studies.forms.columns import quantity

OPTIMISTIC = "epoch chosen on the test split: optimistic"
_CHOSEN = {"held-out": "best held-out", "last": "last", "test": "best on the TEST split"}
_INTERVAL = "[low, high]: 95 % interval over images like these (Wilson 1927)"
_OUT_OF_FOLD = Head(
    "out-of-fold accuracy",
    hint=f"percent of all images, each answered by the model that did not learn from its fold; {_INTERVAL}",
)
_SUMMARY = (
    Head("run", numeric=False),
    Head("recipe", numeric=False),
    Head("test accuracy", hint=f"percent of the test images, of the chosen epoch; {_INTERVAL}"),
    Head("test loss", hint="cross-entropy in nats"),
    Head("held-out accuracy", hint=f"percent of the held-out images, of the chosen epoch; {_INTERVAL}"),
    Head("held-out loss", hint="cross-entropy in nats"),
    Head("epoch", hint="the chosen one, of those that were done"),
    Head("chosen", numeric=False, hint="how the epoch is chosen"),
    Head("seed"),
    Head("parameters"),
    Head("seconds", hint="of training"),
    Head("images/s", hint="while training"),
    Head("device", numeric=False),
)


def warning_of(record: RunRecord) -> str:
    """Return the warning that belongs to the run's test figures; empty unless the test split chose the epoch."""
    return OPTIMISTIC if record.recipe.train.select == "test" else ""


def chosen_by(record: RunRecord) -> str:
    """Return in words how the epoch is chosen."""
    return str(record.summary.get("selection") or SELECTION[record.recipe.as_trained().train.select])


def headline(record: RunRecord) -> list[Cell]:
    """Return what stands beside a run's name: the accuracy, if it is known, and the epoch."""
    epoch = Cell(f"epoch {_epoch(record).text}")
    for split, warning in (("test", warning_of(record)), ("out_of_fold", ""), ("held_out", "")):
        if split in record.summary:
            accuracy = _share(record.summary[split], "accuracy", warning)
            return [accuracy, epoch] if accuracy.value is not None else [epoch]
    return [epoch]


def summary(runs: Sequence[RunPart]) -> Grid:
    """Return a row for each run: its recipe, what it reached, how its epoch was chosen, what it took."""
    rows = [_summary_row(run) for run in runs]
    folded = [run.record.summary.get("out_of_fold", {}) if run.record else {} for run in runs]
    if not any(folded):  # most pages show no cross-validated run, and need no column for one
        return Grid("All runs", _SUMMARY, tuple(rows))
    wider = ((*row[:2], _share(figures, "accuracy"), *row[2:]) for row, figures in zip(rows, folded, strict=True))
    return Grid("All runs", (*_SUMMARY[:2], _OUT_OF_FOLD, *_SUMMARY[2:]), tuple(wider))


def differences(runs: Sequence[RunPart]) -> Grid | None:
    """Return the recipes' fields in which the runs differ, with a column for each run; None if there are none."""
    recipes = [(run.name, run.record.recipe.flat()) for run in runs if run.record is not None]
    fields = [field for field in field_names() if len({repr(recipe.get(field)) for _, recipe in recipes}) > 1]
    if not fields:
        return None
    heads = (Head("field", numeric=False), *(Head(name, numeric=False) for name, _ in recipes))
    rows = tuple((Cell(field), *(Cell(str(recipe.get(field, MISSING))) for _, recipe in recipes)) for field in fields)
    return Grid("Fields of the recipe in which the runs differ", heads, rows)


def environment(record: RunRecord) -> Grid:
    """Return the versions and the hardware."""
    values = {key: value for key, value in record.environment.items() if key != "command" and value is not None}
    rows = tuple((Cell(key), Cell(str(value))) for key, value in values.items())
    return Grid("Environment", (Head("what", numeric=False), Head("value", numeric=False)), rows)


def measures(record: RunRecord) -> Grid:
    """Return what was measured at the end, on each split, and on each fold."""
    end = record.summary
    splits = [("held-out", end.get("held_out"), ""), ("test", end.get("test"), warning_of(record))]
    splits += [("out-of-fold", end.get("out_of_fold"), "")]
    splits += [(f"fold {number}", figures, "") for number, figures in enumerate(end.get("folds", ()), start=1)]
    has_top5 = shows_top5(record.summary.get("classes") or 0)  # summaries of earlier versions lack the number
    rows = [
        (
            Cell(name),
            number(figures.get("images")),
            _share(figures, "accuracy", warning),
            *([_share(figures, "top5", warning)] if has_top5 else []),
            number(figures.get("loss"), ".4f", warning=warning),
        )
        for name, figures, warning in splits
        if figures is not None
    ]
    shares = (Head("accuracy", hint=_INTERVAL), *([Head("top-5", hint=_INTERVAL)] if has_top5 else []))
    heads = (Head("split", numeric=False), Head("images"), *shares, Head("loss (nats)"))
    return Grid("Measured at the end, of the chosen epoch", heads, tuple(rows))


def by_class(run: RunPart) -> Grid:
    """Return each class's accuracy, its images and what it is most often taken for, the worst class first."""
    assert run.evaluation is not None
    rows = tuple(
        (
            Cell(one.name),
            Cell(MISSING) if one.accuracy is None else percent(one.accuracy, images=one.images, bar=True),
            number(one.images),
            Cell(f"{one.taken_for} ({one.times})" if one.times else MISSING),
        )
        for one in run.evaluation.class_results()
    )
    taken = Head("most often taken for", numeric=False)
    heads = (Head("class", numeric=False), Head("accuracy", hint=_INTERVAL), Head("images"), taken)
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


def _summary_row(run: RunPart) -> tuple[Cell, ...]:
    record = run.record
    if record is None:
        return (Cell(run.name, link=run.key), Cell("cannot be read"), *[Cell(MISSING)] * (len(_SUMMARY) - 2))
    end, about = record.summary, record.environment
    test, held_out = end.get("test", {}), _held_out(record)
    parameters = end.get("parameters", about.get("parameters"))
    return (
        Cell(run.name, link=run.key),
        Cell(f"{record.recipe.model.name} on {record.recipe.data.name}"),
        _share(test, "accuracy", warning_of(record)),
        number(test.get("loss"), ".4f", warning=warning_of(record)),
        _share(held_out, "accuracy"),
        number(held_out.get("loss"), ".4f"),
        _epoch(record),
        Cell(_CHOSEN[record.recipe.as_trained().train.select]),
        number(record.recipe.train.seed, "d"),
        Cell(MISSING if parameters is None else quantity(parameters), parameters),
        number(end.get("seconds") or sum(row.get("seconds") or 0 for row in record.timings), ",.1f"),
        number(end.get("images_per_second")),
        Cell(str(about.get("accelerator") or about.get("device") or MISSING)),
    )


def _share(figures: Mapping[str, Any], measure: str, warning: str = "") -> Cell:
    """Return the cell of a split's accuracy or top-5 accuracy."""
    return percent(figures.get(measure), warning, images=figures.get("images"))


def _held_out(record: RunRecord) -> Mapping[str, Any]:
    """Return the held-out figures of the chosen epoch, or of the last epoch so far of a run that has not finished."""
    if record.summary.get("held_out") or record.summary.get("status") == "finished":
        return record.summary.get("held_out") or {}
    last: JsonObject = record.metrics[-1] if record.metrics else {}
    return {"accuracy": last.get("held_out_accuracy"), "loss": last.get("held_out_loss")}


def _epoch(record: RunRecord) -> Cell:
    """Return which epoch was chosen, or how far the run is."""
    done, status = len(record.metrics), record.summary.get("status")
    if status == "finished":
        return number(record.summary.get("epoch"), "d", unit=f" of {done}")
    return number(done, "d", unit=f" of {record.recipe.train.epochs}, {status or 'unfinished'}")
