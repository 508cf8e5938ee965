"""Decode every image of a set and name what is wrong: corrupt, odd, duplicate, in two splits.

Exit status 1 where something should be put right before training.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.printing import plain_console

if TYPE_CHECKING:
    from assay.data.check import Check

_SHOWN = 5  # lines of each kind without --all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DATA and how much to print."""
    parser.add_argument("data", metavar="DATA", help="digits, cifar10, cifar100..., folder:PATH or parquet:PATH")
    parser.add_argument("--data.root", dest="root", metavar="DIR", type=Path, help="folder that holds the named sets")
    parser.add_argument("--data.label", dest="label", metavar="COLUMN", help="label column of a Parquet set")
    # The default is data.duplicates.NEAR, whose import would bring torch into `assay --help`.
    parser.add_argument("--near", type=float, default=0.95, help="likeness of near duplicates, 0 to 1 (default: 0.95)")
    parser.add_argument("--all", action="store_true", help="print every finding, not only the first five of a kind")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all findings as JSON")


def execute(options: argparse.Namespace) -> int:
    """Check and print; 1 where something is wrong."""
    from assay.api import check
    from assay.base.json_files import write_json
    from assay.base.row_files import check_place

    if options.out is not None:
        check_place(options.out)  # before every image is decoded, which takes minutes
    found = check(options.data, root=options.root, label=options.label, near=options.near)
    print_overview(found)
    most = None if options.all else _SHOWN
    print_findings("wrong", found.wrong, most)
    print_findings("worth a look", found.remarks, most)
    print(f"{options.data}: {'; '.join(found.problems) or 'nothing wrong'}")
    if options.out is not None:
        write_json(options.out, found.to_dict())
    return 1 if found.problems else 0


def print_overview(found: Check) -> None:
    """A row for each split, and the number of images of each class."""
    from rich.table import Table

    rows = {name: split.overview() for name, split in found.splits.items()}
    table = Table("split", *next(iter(rows.values())))
    for name, row in rows.items():
        table.add_row(name, *row.values())
    console = plain_console()
    console.print(table)
    counts = Table("class", *rows)
    for label in next(iter(found.splits.values())).classes:
        counts.add_row(label, *(f"{split.classes[label]:,}" for split in found.splits.values()))
    console.print(counts)


def print_findings(title: str, kinds: Mapping[str, Sequence[str]], most: int | None) -> None:
    """The findings of each kind, the first ``most`` of them."""
    for kind, lines in kinds.items():
        print(f"{title}: {kind} ({len(lines)})")
        for line in lines[:most]:
            print(f"  {line}")
        if most is not None and len(lines) > most:
            print(f"  and {len(lines) - most} more (--all shows them, --out FILE keeps them)")
