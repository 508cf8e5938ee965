"""The tables of the page about runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from assay.analysis.errors.results import Errors
from assay.base.json_files import JsonObject
from assay.pages.report.collect import RunPart
from assay.pages.report.grid import MISSING, Cell, Grid, Head, number, words
from assay.recipe.recipe import field_names
from assay.run.record import RunRecord
from assay.run.selection import SELECTION
from assay.studies.forms.columns import quantity

OPTIMISTIC = "epoch chosen on the test split: optimistic"
_PROGRAMS = ("/assay/cli.py", "/assay/__main__.py")
_OF_STUDY = ("/execution/child.py", "/workers/default_worker.py")  # here, or on Ray
_CHOSEN = {"held-out": "best held-out", "last": "last", "test": "best on the TEST split"}
_SUMMARY = (
    Head("run", numeric=False),
    Head("recipe", numeric=False),
    Head("test accuracy", hint="percent of the test images, of the chosen epoch"),
    Head("test loss", hint="cross-entropy in nats"),
    Head("held-out accuracy", hint="percent of the held-out images, of the chosen epoch"),
    Head("held-out loss", hint="cross-entropy in nats"),
    Head("epoch", hint="the chosen one, of those that were done"),
    Head("chosen", numeric=False, hint="how the epoch is chosen"),
    Head("seed"),
    Head("parameters"),
    Head("seconds", hint="of training"),
    Head("images/s", hint="while training"),
    Head("device", numeric=False),
)


def summary(runs: Sequence[RunPart]) -> Grid:
    """A row for each run: what was run, what it reached, how its epoch was chosen, what it took."""
    return Grid("All runs", _SUMMARY, tuple(_summary_row(run) for run in runs))


def is_optimistic(record: RunRecord) -> bool:
    """Whether the test split has chosen the epoch."""
    return record.recipe.train.select == "test"


def chosen_by(record: RunRecord) -> str:
    """How the epoch is chosen, in words."""
    return str(record.summary.get("selection") or SELECTION[record.recipe.train.select])


def headline(record: RunRecord) -> list[Cell]:
    """What stands beside a run's name: the accuracy, where there is one, and the epoch."""
    warn = OPTIMISTIC if is_optimistic(record) else ""
    split = "test" if "test" in record.summary else "held_out"
    accuracy = _percent(record.summary.get(split, {}).get("accuracy"), warn if split == "test" else "")
    epoch = Cell(f"epoch {_epoch(record).text}")
    return [accuracy, epoch] if accuracy.value is not None else [epoch]


def differences(runs: Sequence[RunPart]) -> Grid | None:
    """The recipe's fields in which the runs differ, a column for each run; None where there is nothing to compare."""
    read = [run for run in runs if run.record is not None]
    recipes = [run.record.recipe.flat() for run in read if run.record]
    names = [name for name in field_names() if len({repr(recipe.get(name)) for recipe in recipes}) > 1]
    if len(read) < 2 or not names:
        return None
    heads = (Head("field", numeric=False), *(Head(run.name, numeric=False) for run in read))
    rows = tuple((words(name), *(_value(recipe.get(name)) for recipe in recipes)) for name in names)
    return Grid("Fields of the recipe in which the runs differ", heads, rows)


def environment(record: RunRecord) -> Grid:
    """Versions and hardware."""
    said = {key: value for key, value in record.environment.items() if key != "command" and value is not None}
    rows = tuple((words(key), words(value)) for key, value in said.items())
    return Grid("Environment", (Head("what", numeric=False), Head("value", numeric=False)), rows)


def is_of_study(record: RunRecord) -> bool:
    """Whether a study has started the run, in a process of its own."""
    return _program(record).endswith(_OF_STUDY)


def command(record: RunRecord) -> str:
    """The command line that made the run, as a shell takes it; empty where it is not known, or a study's process."""
    if is_of_study(record):
        return ""
    given = [str(part) for part in record.environment.get("command") or []]
    program = _program(record)
    is_ours = program.endswith(_PROGRAMS) or PurePosixPath(program).stem == "assay"
    return shlex.join(["assay", *given[1:]] if is_ours else given)


def _program(record: RunRecord) -> str:
    """The path of the program that made the run, with slashes; a lone slash where it is not known."""
    given = record.environment.get("command") or [""]
    return "/" + str(given[0]).replace("\\", "/")


def measures(record: RunRecord) -> Grid:
    """What was measured at the end, on each split."""
    splits = {name.replace("_", "-"): record.summary[name] for name in ("held_out", "test") if name in record.summary}
    heads = (Head("split", numeric=False), Head("images"), Head("accuracy"), Head("top-5"), Head("loss (nats)"))
    warn = OPTIMISTIC if is_optimistic(record) else ""
    rows = tuple(
        (
            words(name),
            number(of.get("images")),
            _percent(of.get("accuracy"), warn if name == "test" else ""),
            _percent(of.get("top5"), warn if name == "test" else ""),
            number(of.get("loss"), ".4f", warning=warn if name == "test" else ""),
        )
        for name, of in splits.items()
    )
    return Grid("Measured at the end, of the chosen epoch", heads, rows)


def by_class(run: RunPart) -> Grid:
    """Accuracy, images, and what it is most often taken for, of each class; the worst first."""
    assert run.errors is not None
    assert run.confusion is not None
    classes, counts = run.errors.classes, run.confusion
    totals, right = counts.sum(axis=1), counts.diagonal()
    share = right / np.maximum(totals, 1)
    others = counts - np.diag(right)
    heads = (
        Head("class", numeric=False),
        Head("accuracy"),
        Head("images"),
        Head("most often taken for", numeric=False),
    )
    rows = []
    for place in sorted(range(len(classes)), key=lambda place: (totals[place] == 0, share[place])):
        often = int(others[place].argmax())
        count = int(others[place, often])
        accuracy = _percent(float(share[place]), share=True) if totals[place] else Cell(MISSING)
        taken_for = f"{classes[often]} ({count})" if count else MISSING
        rows.append((words(classes[place]), accuracy, number(int(totals[place])), words(taken_for)))
    return Grid(f"Accuracy of each class on the {run.split} images", heads, tuple(rows))


def confusions(errors: Errors) -> Grid:
    """The pairs of classes that are confused most often."""
    heads = (Head("label", numeric=False), Head("answered", numeric=False), Head("images"), Head("of the label's"))
    rows = tuple(
        (words(pair.label), words(pair.predicted), number(pair.count, ",.4g"), _percent(pair.share, share=True))
        for pair in errors.confusions
    )
    return Grid("The most frequent confusions", heads, rows)


def wrong_in_runs(errors: Errors) -> Grid:
    """How many images are wrong in so many of the runs, beside what independent runs would give."""
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
        return (Cell(run.name, link=run.key), words("cannot be read"), *[Cell(MISSING)] * (len(_SUMMARY) - 2))
    end, about = record.summary, record.environment
    test, held_out = end.get("test", {}), _held_out(record)
    warn = OPTIMISTIC if is_optimistic(record) else ""
    return (
        Cell(run.name, link=run.key),
        words(f"{record.recipe.model.name} on {record.recipe.data.name}"),
        _percent(test.get("accuracy"), warn),
        number(test.get("loss"), ".4f", warning=warn),
        _percent(held_out.get("accuracy")),
        number(held_out.get("loss"), ".4f"),
        _epoch(record),
        words(_CHOSEN[record.recipe.train.select]),
        number(record.recipe.train.seed, "d"),
        _parameters(end.get("parameters", about.get("parameters"))),
        number(end.get("seconds") or sum(row.get("seconds") or 0 for row in record.timings), ",.1f"),
        number(end.get("images_per_second")),
        words(about.get("accelerator") or about.get("device") or MISSING),
    )


def _held_out(record: RunRecord) -> Mapping[str, Any]:
    """Of the chosen epoch; of an unfinished run, of the last one that is done."""
    last: JsonObject = record.metrics[-1] if record.metrics else {}
    so_far = {"accuracy": last.get("held_out_accuracy"), "loss": last.get("held_out_loss")}
    return record.summary.get("held_out") or ({} if record.summary.get("status") == "finished" else so_far)


def _epoch(record: RunRecord) -> Cell:
    """Which was chosen, or how far the run is."""
    done, status = len(record.metrics), record.summary.get("status")
    if status == "finished":
        return number(record.summary.get("epoch"), "d", unit=f" of {done}")
    return number(done, "d", unit=f" of {record.recipe.train.epochs}, {status or 'unfinished'}")


def _parameters(count: int | None) -> Cell:
    return Cell(MISSING if count is None else quantity(count), count)


def _percent(of_one: float | None, warning: str = "", *, share: bool = False) -> Cell:
    cell = number(of_one, ".2f", scale=100, unit=" %", warning=warning)
    return Cell(cell.text, cell.value, warning=warning, share=of_one if share else None)


def _value(value: Any) -> Cell:
    return Cell(MISSING) if value is None else words(value)
