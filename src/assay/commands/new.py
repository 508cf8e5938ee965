"""Look at a set of images, propose a recipe for it with the reasons, and write it to a file.

From a folder to predictions:

  assay new photos/                      writes photos.yaml
  assay train photos.yaml                trains runs/photos
  assay predict runs/photos new-photos/

Every field of a recipe is an option; the fields that are given stay as they are: assay new photos/ --data.size 128
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from assay.commands.check import print_findings, print_overview
from assay.commands.fields import add_fields, given_fields
from assay.commands.printing import plain_console, print_line, print_table

if TYPE_CHECKING:
    from assay.run.propose import Proposal

_SHOWN = 5  # findings of each kind
_CLASSES = 20  # shown at most
_LONG = 45 * 60  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DATA, ``--out`` and a flag for every field."""
    parser.add_argument(
        "data",
        metavar="PHOTOS",
        help="a folder with a folder of images for each class, with or without train, val and test above; "
        "Parquet files; or a set's name (cifar10)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the recipe's file (default: PHOTOS.yaml, here)")
    add_fields(parser)


def execute(options: argparse.Namespace) -> int:
    """Look, print and write; 1 if the recipe cannot be trained yet."""
    from assay.api import propose
    from assay.base.atomic import replace_file
    from assay.recipe.commented import commented_yaml
    from assay.run.propose import set_at, short_name

    out = options.out or Path(f"{short_name(set_at(options.data))}.yaml")
    check_new_file(out)  # before every image is decoded, which may take minutes
    with plain_console().status("looking at every image, then training for a moment"):
        proposal = propose(options.data, given_fields(options))
    print_proposal(proposal)
    replace_file(out, f"# assay {shlex.join(options.given)}\n{commented_yaml(proposal.recipe, proposal.reasons)}")
    print_line(f"next: assay train {shlex.quote(str(out))}")
    return 1 if proposal.obstacle else 0


def check_new_file(path: Path) -> None:
    """Raise ``ValueError`` unless a new recipe can be written there."""
    from assay.base.row_files import check_place

    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(f"--out: {path} is not a .yaml file")
    if path.exists():
        raise ValueError(f"{path} is there already; choose another --out, or remove it")
    check_place(path)


def print_proposal(proposal: Proposal) -> None:
    """Print the set, what is wrong with it, the fields with their reasons, and the time."""
    from assay.base.duration import duration_in_words

    found = proposal.found
    print_overview(proposal.recipe.data.name, found, _CLASSES)
    print_findings("wrong", found.wrong, _SHOWN)
    print_findings("worth a look", found.remarks, _SHOWN)
    rows = [(name, _shown(proposal.recipe.get(name)), reason) for name, reason in proposal.reasons.items()]
    title = f"recipe: {proposal.base}, with these fields for this set"
    print_table(title, ("field", "value", "because"), rows)
    for note in proposal.notes:
        print_line(note)
    if proposal.seconds is not None:
        less = "; --time 30m makes do with less" if proposal.seconds > _LONG else ""
        print_line(f"time: about {duration_in_words(proposal.seconds)} here, by a short training just now{less}")
    if proposal.obstacle:
        print_line(f"cannot be trained yet: {proposal.obstacle}")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
