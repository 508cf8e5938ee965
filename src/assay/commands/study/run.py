"""Run a study, or what is missing of it, and print its table.

Every field of a recipe is an option too, and then holds for all rows: assay study run stem --train.device cuda
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from assay.commands.fields import add_fields
from assay.commands.study.show import add_margin, print_report
from assay.commands.study.where import add_where, changes_of, executor_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add STUDY, its budget, seeds and protocol, where it runs, and a flag for every field."""
    parser.add_argument("study", metavar="STUDY", help="a name that `assay study list` lists, or a YAML file")
    parser.add_argument(
        "--budget",
        choices=["quick", "medium", "full"],
        help="quick: a stated proxy; medium: the proxy with 30 epochs; full: as published",
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        metavar="N[,N,N]",
        help="runs of each row (default: 3); several numbers, as 3,5,10, are looks of a sequential plan, of which the "
        "first is done",
    )
    parser.add_argument(
        "--until",
        choices=["decided"],
        help="go on with the plan's looks (default: 3,5,10), each with the rows that are undecided",
    )
    parser.add_argument(
        "--control-seeds",
        type=int,
        metavar="N",
        help="runs of each control, in which every comparison takes part (default: 10; as many as of a row, where "
        "these are more, or fewer than 3)",
    )
    parser.add_argument(
        "--splits",
        type=int,
        metavar="N",
        help="in place of the study, its controls on N splits of the images: what the split, the seed and the test "
        "images add to the variance",
    )
    parser.add_argument(
        "--protocol",
        choices=["held-out", "last", "test"],
        help="how the epoch is chosen: on held-out images, the last one, or on the test split as some reports did "
        "(default: as the study says)",
    )
    parser.add_argument("--out", type=Path, default=Path("studies"), metavar="DIR", help="default: studies")
    parser.add_argument(
        "--from",
        dest="runs",
        type=Path,
        metavar="DIR",
        help="count the runs of DIR/runs.jsonl as done, where recipe, seed and code are equal",
    )
    add_where(parser)
    add_margin(parser)
    add_fields(parser)


def _seeds(text: str) -> tuple[int, ...]:
    """Read ``--seeds``."""
    numbers = text.split(",")
    if not all(number.isascii() and number.isdecimal() and int(number) for number in numbers):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, or several between commas, not {text!r}")
    return tuple(map(int, numbers))


def execute(options: argparse.Namespace) -> int:
    """Run and print; return 1 if a run failed, 130 if the study was interrupted."""
    from assay.studies.api import run_study
    from assay.studies.conduct import InterruptedStudyError
    from assay.studies.looks import LOOKS

    looks = options.seeds or (LOOKS if options.until else (3,))
    if options.until and len(looks) == 1:
        raise ValueError(f"--until decided: expected several numbers of --seeds, as 3,5,10, not {looks[0]}")
    command = shlex.join(["assay", *options.given])
    try:
        report = run_study(
            options.study,
            changes_of(options),
            budget=options.budget,
            seeds=looks[0],
            looks=looks if len(looks) > 1 else (),
            until_decided=options.until is not None,
            control_seeds=options.control_seeds,
            selection=options.protocol,
            out=options.out,
            margin=options.margin,
            runs=options.runs,
            splits=options.splits,
            execute=executor_of(options),
            command=command,
        )
    except InterruptedStudyError as stopped:
        print(f"{stopped}: {command}", file=sys.stderr)
        return 130  # 128 + SIGINT, as a shell reports it
    print_report(report)
    return 1 if report.failures else 0
