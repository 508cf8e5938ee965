"""Show what runs get wrong: mistakes, confused classes, images that all seeds fail on, flips, doubtful labels.

assay errors runs/seed-1 runs/seed-2 runs/seed-3 --against runs/before --label-errors
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.base.text import shorten
from assay.commands.data_flags import add_data, report_left_out, split_request
from assay.commands.printing import print_files, print_line, print_table

if TYPE_CHECKING:
    from assay.analysis.errors.results import Errors, Flips, LabelIssues, Mistake

_RIGHT = ("images", "images (mean)", "of the label's", "confidence", "runs", "if independent", "probability")
# The files hold whole tables and whole names.
_print_first = partial(print_table, right=_RIGHT, most=10)
_image = partial(shorten, most=25, keep_end=True)  # the end of a path tells images apart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add RUN..., what to look for, the data, and where the results go."""
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", type=Path, help="run folder or model.safetensors file; several, e.g. seeds"
    )
    parser.add_argument("--against", metavar="RUN", type=Path, help="see which images flip between it and the first")
    parser.add_argument(
        "--pair", nargs=2, metavar=("LABEL", "ANSWER"), help="a gallery of the images of a class taken for another"
    )
    parser.add_argument("--label-errors", action="store_true", help="find labels that are likely wrong (cleanlab)")
    parser.add_argument(
        "--label-split",
        metavar="SPLIT",
        help="whose labels: held-out, test or out-of-fold (default: held-out where there is one)",
    )
    add_data(parser)
    parser.add_argument("--limit", type=int, default=40, metavar="N", help="images in a gallery (default: 40)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of results (default: errors beside the model)")
    parser.add_argument("--format", default="png,svg", metavar="png,svg", help="of the pictures (default: both)")


def execute(options: argparse.Namespace) -> int:
    """Find the errors, write them, print the tables; 1 where images were left out."""
    from assay.analysis.errors.api import find_errors
    from assay.analysis.errors.output import Output
    from assay.classifier.classifier import model_path

    folder = options.out or model_path(options.runs[0]).parent / "errors"
    pair = None if options.pair is None else tuple(options.pair)
    output = Output(folder, options.format.split(","), options.limit, pair)
    found = find_errors(
        options.runs,
        against=options.against,
        label_errors=options.label_errors,
        label_split=options.label_split,
        data=split_request(options),
    )
    files = output.write(found)
    print_errors(found)
    print_files(folder, files)
    return report_left_out(found.left_out)


def print_errors(found: Errors) -> None:
    """Print how much is wrong, and the first lines of each table."""
    from assay.classifier.accuracy import with_interval

    for run, wrong, calibration in zip(found.runs, found.wrong, found.calibration, strict=True):
        share = f"{wrong:,} of {found.images:,} images wrong ({with_interval(wrong / found.images, found.images)})"
        print_line(f"{run}, {found.split}: {share}, calibration error {calibration.error:.2%}")
    runs = len(found.runs)
    heading = ("label", "taken for", "images (mean)" if runs > 1 else "images", "of the label's")
    rows = [(one.label, one.predicted, f"{one.count:.4g}", f"{one.share:.1%}") for one in found.confusions]
    _print_first("most confused", heading, rows)
    print_mistakes(f"most confident mistakes of {found.runs[0]}", found.mistakes, runs)
    if runs > 1:
        counts = [(f"{row.runs}", f"{row.images:,}", f"{row.if_independent:,.4g}") for row in found.wrong_in_runs]
        print_table("images by how many runs are wrong", ("runs", "images", "if independent"), counts, right=_RIGHT)
        print_mistakes(f"wrong in all {runs} runs, with their mean confidence", found.always_wrong)
    if found.flips is not None:
        print_flips(found.flips)
    if found.label_issues is not None:
        print_labels(found.label_issues)
    for remark in found.remarks:
        print_line(f"remark: {remark}")


def print_mistakes(title: str, mistakes: Sequence[Mistake], runs: int = 1) -> None:
    """Print image, label, answer and confidence, and of several runs how many are wrong."""
    heading = ("image", "label", "predicted", "confidence", "runs wrong")
    rows = [
        (_image(one.name), one.label, one.predicted, f"{one.confidence:.1%}", f"{one.runs_wrong} of {runs}")
        for one in mistakes
    ]
    columns = len(heading) if runs > 1 else -1
    _print_first(title, heading[:columns], [row[:columns] for row in rows])


def print_flips(flips: Flips) -> None:
    """Print how many images flip either way, and the first of them."""
    test = f"McNemar's exact test p = {flips.p:.2g}"
    print_line(f"against {flips.other}: {flips.gained:,} gained, {flips.lost:,} lost; {test}")
    for title, gained in (("gained", True), ("lost", False)):
        answers = [
            (one, f"{one.predicted} {one.confidence:.1%}", f"{one.other_predicted} {one.other_confidence:.1%}")
            for one in flips.images
            if one.gained is gained
        ]
        rows = [(_image(one.name), one.label, *both) for one, *both in answers]
        _print_first(title, ("image", "label", "the run", "the other"), rows)


def print_labels(issues: LabelIssues) -> None:
    """Print how many labels are likely to be wrong, and the first of them."""
    print_line(f"label errors: cleanlab doubts {issues.found:,} of {issues.images:,} {issues.split} labels")
    rows = [
        (_image(one.name), one.given, f"{one.probability_of_given:.1%}", one.suggested, f"{one.confidence:.1%}")
        for one in issues.items
    ]
    _print_first("least probable labels", ("image", "label", "probability", "suggested", "probability"), rows)
