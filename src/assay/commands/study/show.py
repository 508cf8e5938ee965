"""Print the table of a study as far as it has been run, or that of its runs.jsonl alone (--from).

With --save its tables and figures are written too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.studies.api import StudyReport

FORMS = ("terminal", "markdown", "latex", "csv", "runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add STUDY and the form of its table."""
    parser.add_argument("study", metavar="STUDY", help="its name, its YAML file or its folder")
    parser.add_argument("--out", type=Path, default=Path("studies"), metavar="DIR", help="default: studies")
    parser.add_argument(
        "--format",
        choices=FORMS,
        default="terminal",
        help="of the table (default: terminal); runs: a line of JSON for each run, as in runs.jsonl",
    )
    parser.add_argument("--from", dest="runs", type=Path, metavar="DIR", help="make the table of DIR/runs.jsonl alone")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="DIR",
        help="write its tables and figures into DIR, which is new or a study's folder",
    )
    add_margin(parser)


def add_margin(parser: argparse.ArgumentParser) -> None:
    """Add ``--margin``."""
    parser.add_argument(
        "--margin",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="the largest difference that counts as none, in percentage points (default: 1)",
    )


def execute(options: argparse.Namespace) -> int:
    """Print the table; return 0."""
    from assay.studies.api import export_runs, show_study
    from assay.studies.forms.formats import as_csv, as_latex, as_markdown

    if options.format == "runs":
        if options.runs is not None:
            raise ValueError("--format runs writes the lines that --from reads; give one of them")
        if options.save is not None:
            raise ValueError("--save writes tables and figures; --format runs prints the runs: give one of them")
        print(export_runs(options.study, out=options.out), end="")
        return 0
    report = show_study(options.study, out=options.out, margin=options.margin, runs=options.runs, save=options.save)
    for remark in report.remarks:
        print(remark, file=sys.stderr)
    if options.format == "terminal":
        print_report(report)
    else:
        form = {"markdown": as_markdown, "latex": as_latex, "csv": as_csv}[options.format]
        print(form(report.table), end="")
    return 0


def print_report(report: StudyReport) -> None:
    """Print the table, the advice, and the files of the study's folder."""
    from rich.console import Console
    from rich.markdown import Markdown

    from assay.studies.forms.terminal import as_rich
    from assay.studies.surface.words import as_rich as surface_as_rich

    console = Console()
    console.print(as_rich(report.table, console.width))
    if report.surface:
        console.print(surface_as_rich(report.surface.claims))
    if report.advice:
        console.print(Markdown(report.advice))
    # The plan is for assay itself, not for a reader.
    files = ", ".join(sorted(path.name for path in report.folder.iterdir() if path.name != "study.json"))
    console.print(f"\n{report.folder}: {files}", highlight=False, soft_wrap=True, markup=False)
