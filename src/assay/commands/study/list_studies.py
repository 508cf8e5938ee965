"""List the named studies: every table of the reports."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are no arguments."""


def execute(_options: argparse.Namespace) -> int:
    """Print name, number of rows, source and question of each; return 0."""
    from rich.console import Console
    from rich.table import Table

    from assay.studies.named import STUDIES

    table = Table("study", "rows", "source", "question", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[1].justify = "right"
    for name, study in STUDIES.items():
        table.add_row(name, str(len(study.rows)), study.source, study.purpose)
    Console().print(table)
    print("\nassay study run NAME --seeds 3")
    return 0
