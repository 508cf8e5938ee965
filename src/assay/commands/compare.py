"""Compare accuracies that anything has logged: the statistics of a study, and the sentence that a paper would print.

assay compare scores.csv
assay compare lightning_logs --metric val_acc --control baseline --plot differences.png

FILE is a CSV or JSON lines file (row, seed, score; or row, seed, image, label, predicted), or a folder of logs of
Lightning, Hugging Face's Trainer, TensorBoard, W&B or MLflow.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.commands.study.show import FORMS, add_margin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE..., what is compared with what, and the form of the table."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help=".csv, .jsonl, or a folder of logs")
    parser.add_argument("--control", metavar="ROW", help="with which the others are compared (default: the first)")
    parser.add_argument(
        "--metric", metavar="NAME", help="the accuracy's name in the logs, or its column (default: the only one; score)"
    )
    parser.add_argument("--by", default="row", metavar="COLUMN", help="that names the row (default: row)")
    parser.add_argument(
        "--chance", type=float, metavar="PERCENT", help="accuracy of guessing, as which runs without a score count"
    )
    add_margin(parser)
    parser.add_argument("--format", choices=FORMS, default="terminal", help="default: terminal")
    parser.add_argument("--latex", action="store_const", const="latex", dest="format", help="same as --format latex")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the differences: .png or .svg")


def execute(options: argparse.Namespace) -> int:
    """Print the sentences and the table, and draw the plot; return 0."""
    from rich.console import Console
    from rich.text import Text

    from assay.analysis.figures.style import save_figure
    from assay.analysis.output import check_picture
    from assay.studies.forms.formats import as_csv, as_latex, as_markdown
    from assay.studies.forms.terminal import as_rich
    from assay.studies.outside.compare import compare

    if options.plot is not None:
        check_picture(options.plot)
    made = compare(
        options.files,
        control=options.control,
        metric=options.metric,
        by=options.by,
        chance=options.chance,
        margin=options.margin,
    )
    if options.format == "terminal":
        console = Console()
        for said in made.sentences:
            console.print(Text(f"{said}\n"))
        console.print(as_rich(made.table, console.width))
    else:
        form = {"markdown": as_markdown, "latex": as_latex, "csv": as_csv}[options.format]
        print(form(made.table), end="")
    if options.plot is not None:
        save_figure(made.plot(), options.plot)
    return 0
