"""Measure a classifier on labelled images, and draw its mistakes."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from assay.base.text import one_line
from assay.commands.data_flags import add_data, add_views, report_left_out, split_request
from assay.commands.printing import plain_console, print_line

if TYPE_CHECKING:
    from assay.classifier.evaluation import Evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, the data and the split, and where the results go."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder or model.safetensors file")
    add_data(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of results (default: beside the model)")
    add_views(parser)
    parser.add_argument("--print-log", action="store_true", help="print [predicted][label][correct] of every image")


def execute(options: argparse.Namespace) -> int:
    """Evaluate, write the results, print the measures; 1 where images were left out."""
    from assay.analysis.output import check_output
    from assay.api import evaluate

    folder = options.out or _default_folder(options)
    check_output(folder, ())  # before the images are evaluated
    evaluation = evaluate(options.model, views=options.views, **vars(split_request(options)))
    write_results(evaluation, folder, options)
    for row in evaluation.log() if options.print_log else ():
        print_line(f"[{row['predicted']}][{row['label']}][{row['correct']}] {row['name']}")
    print_measures(evaluation, f"{options.split} split", folder)
    return report_left_out(evaluation.left_out)


def write_results(evaluation: Evaluation, folder: Path, options: argparse.Namespace) -> None:
    """Write ``summary.json``, ``log.csv``, and the figures."""
    from assay.analysis.figures.confusion import plot_confusion
    from assay.analysis.figures.curves import plot_curves
    from assay.analysis.figures.gallery import plot_mistakes, plot_samples
    from assay.analysis.figures.style import figure_as
    from assay.base.atomic import replace_files
    from assay.base.json_files import to_json
    from assay.base.row_files import to_csv
    from assay.classifier.accuracy import with_interval
    from assay.classifier.classifier import model_path
    from assay.run.record import read_epochs

    right = with_interval(evaluation.accuracy, len(evaluation.labels))
    title = f"{options.model}, {options.split} split: {right} of {len(evaluation.labels):,} images right"
    figures = {
        "mistakes.png": plot_mistakes(evaluation, title),
        "confusion.png": plot_confusion(evaluation, title),
        "samples.png": plot_samples(evaluation, f"samples of the {options.split} split"),
    }
    if metrics := read_epochs(model_path(options.model).parent / "metrics.jsonl"):
        figures["curves.png"] = plot_curves(metrics, str(options.model))
    pictures = {name: figure_as("png", figure) for name, figure in figures.items()}
    summary, log = to_json(evaluation.summary()), to_csv(evaluation.log())
    replace_files(folder, {"summary.json": summary, "log.csv": log, **pictures})


def print_measures(evaluation: Evaluation, title: str, folder: Path) -> None:
    """Print the measures, and a table of the classes, the worst first."""
    from rich.table import Table

    from assay.classifier.accuracy import few_images, shows_top5, with_interval

    images = len(evaluation.labels)
    print_line(f"{title}: {images:,} images; [low, high] is the 95 % interval of an accuracy over images like these")
    print_line(f"  accuracy           {with_interval(evaluation.accuracy, images)}")
    if shows_top5(len(evaluation.classes)):
        print_line(f"  top-5 accuracy     {with_interval(evaluation.top5, images)}")
    print_line(f"  loss               {evaluation.loss:.4f} nats")
    print_line(f"  calibration error  {evaluation.calibration_error:.2%} (15 bins)")
    if remark := few_images(images, "models"):
        print_line(f"  note               {remark}")
    table = Table("class", "accuracy", "images", "most often taken for", title="per class, the worst first")
    by_name = sorted(evaluation.class_results(), key=lambda one: one.name)  # the order of equally accurate classes
    for one in sorted(by_name, key=lambda one: (one.accuracy is None, one.accuracy or 0.0)):
        accuracy = "" if one.accuracy is None else with_interval(one.accuracy, one.images)
        taken_for = f"{one.taken_for} ({one.times})" if one.times else ""
        table.add_row(one_line(one.name), accuracy, f"{one.images:,}", one_line(taken_for))
    plain_console().print(table)
    print_line(f"pictures and log: {folder}")


def _default_folder(options: argparse.Namespace) -> Path:
    """Return a folder beside the model, named after the split, and after the data where it is not the model's own."""
    from assay.classifier.classifier import model_path

    # The name may be a path, whose slashes would make folders.
    suffix = "" if options.data is None else "-" + re.sub(r"[^A-Za-z0-9]+", "-", options.data).strip("-")
    views = "" if options.views is None else f"-{options.views}"
    return model_path(options.model).parent / f"evaluation-{options.split}{suffix}{views}"
