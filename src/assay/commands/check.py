"""Decode every image of a set and name what is wrong: corrupt, odd, duplicate, in two splits.

Exit status 1 where something should be put right before training.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.printing import print_line, print_table

if TYPE_CHECKING:
    from assay.data.check import Check

_SHOWN = 5  # lines of each kind without --all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DATA and how much to print."""
    parser.add_argument(
        "data",
        metavar="DATA",
        help="a folder of class folders, Parquet or tar files, or a name (digits, cifar10...)",
    )
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
    print_overview(options.data, found)
    most = None if options.all else _SHOWN
    print_findings("wrong", found.wrong, most)
    print_findings("worth a look", found.remarks, most)
    print_line(f"{options.data}: {'; '.join(found.problems) or 'nothing wrong'}")
    if options.out is not None:
        write_json(options.out, found.to_dict())
    return 1 if found.problems else 0


def print_overview(title: str, found: Check, classes: int | None = None) -> None:
    """A row for each split, and the number of images of each class.

    With ``classes`` of at most so many, the smallest first, and of none where all have the same number.
    """
    splits = found.splits
    rows = {name: split.overview() for name, split in splits.items()}
    print_table(title, ("split", *next(iter(rows.values()))), [(name, *row.values()) for name, row in rows.items()])
    names = list(splits["train"].classes)
    if classes is not None and all(len(set(split.classes.values())) == 1 for split in splits.values()):
        return  # as the first table says
    if classes is not None and len(names) > classes:
        names.sort(key=lambda name: splits["train"].classes[name])
    counts = [(name, *(f"{split.classes[name]:,}" for split in splits.values())) for name in names]
    print_table("classes", ("class", *splits), counts, right=tuple(splits), most=classes)


def print_findings(title: str, kinds: Mapping[str, Sequence[str]], most: int | None) -> None:
    """The findings of each kind, the first ``most`` of them."""
    for kind, lines in kinds.items():
        print_line(f"{title}: {kind} ({len(lines)})")
        for line in lines[:most]:
            print_line(f"  {line}")
        if most is not None and len(lines) > most:
            print_line(f"  and {len(lines) - most} more (--all shows them, --out FILE keeps them)")
