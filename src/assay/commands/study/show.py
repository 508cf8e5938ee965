"""Print the table of a study as far as it has been run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.studies.api import StudyReport

FORMS = ("terminal", "markdown", "latex", "csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add STUDY and the form of its table."""
    parser.add_argument("study", metavar="STUDY", help="its name, its YAML file or its folder")
    parser.add_argument("--out", type=Path, default=Path("studies"), metavar="DIR", help="default: studies")
    parser.add_argument("--format", choices=FORMS, default="terminal", help="default: terminal")
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
    from assay.studies.api import show_study
    from assay.studies.forms.formats import as_csv, as_latex, as_markdown

    report = show_study(options.study, out=options.out, margin=options.margin)
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
