"""Look for better values of a recipe's fields, and train the best recipe again with fresh seeds.

assay study search digits --over optim.lr --over augment.crop=0..4 --trials 20 --out studies/search-digits

The same command continues a search that stopped. Started on another host with a shared --storage, it takes part.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.fields import add_recipe
from assay.commands.study.where import add_where, changes_of, workers_of

if TYPE_CHECKING:
    from assay.studies.search.result import SearchResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add RECIPE, what to search over, for how long and where, and a flag for every field."""
    parser.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="FIELD[=VALUES]",
        help="a field to search over, once for each: optim.lr (a range around the recipe's own value), "
        "optim.lr=0.001..0.3 (a range; :log or :linear at its end), train.batch_size=64,128 (values)",
    )
    parser.add_argument("--trials", type=int, default=30, metavar="N", help="runs of the search (default: 30)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the results (default: studies/search-RECIPE)"
    )
    parser.add_argument(
        "--storage",
        metavar="WHERE",
        help="trials that several hosts share: a .journal or .db file, or postgresql://USER@HOST/NAME "
        "(default: a journal in DIR)",
    )
    parser.add_argument(
        "--confirm-seeds",
        default="1000,1001,1002",
        metavar="N,N,...",
        help="seeds of the runs that say what the best recipe is worth; none: no such runs (default: 1000,1001,1002)",
    )
    parser.add_argument("--search-seed", type=int, default=0, metavar="N", help="seed of the drawing (default: 0)")
    add_where(parser)
    add_recipe(parser)


def execute(options: argparse.Namespace) -> int:
    """Search, and print the result; return 1 if no trial finished, 130 if the search was interrupted."""
    from assay.studies.conduct import InterruptedStudyError
    from assay.studies.search.budget import Budget
    from assay.studies.search.search import search

    command = shlex.join(["assay", *options.given])
    out = options.out or Path("studies") / f"search-{Path(options.recipe).stem}"
    try:
        result = search(
            options.recipe,
            options.over,
            changes_of(options),
            out=out,
            storage=options.storage,
            budget=Budget(options.trials, read_seeds(options.confirm_seeds), options.search_seed),
            workers=workers_of(options),
            command=command,
        )
    except InterruptedStudyError as stopped:
        print(f"{stopped}: {command}", file=sys.stderr)
        return 130
    print_result(result, out)
    return 0 if result.best else 1


def read_seeds(text: str) -> tuple[int, ...]:
    """Read ``--confirm-seeds``."""
    try:
        return () if text == "none" else tuple(int(seed) for seed in text.split(","))
    except ValueError:
        raise ValueError(f"--confirm-seeds: expected numbers between commas, or none, not {text!r}") from None


def print_result(result: SearchResult, folder: Path) -> None:
    """Print the summary, the table of the runs with fresh seeds, and the names of the files."""
    from rich.console import Console
    from rich.markdown import Markdown

    from assay.studies.forms.terminal import as_rich
    from assay.studies.search.report import BEST, summary
    from assay.studies.table import make_table

    console = Console()
    console.print(Markdown(summary(result)))
    if result.confirmation:
        console.print(as_rich(make_table(result.confirmation), console.width))
    print(f"\n{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    if result.best:
        print(f"next: assay train {shlex.quote(str(folder / BEST))}")
