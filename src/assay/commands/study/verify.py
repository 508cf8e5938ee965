"""Do one run of a study's results again, drawn at random, and compare it with what stands in them.

assay study verify results/stem-quick

On the same kind of machine it has to agree to the bit; elsewhere within stated limits. The exit status is 1 if it does
not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FOLDER and the seed of the drawing."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="holds a study's study.json and runs.jsonl")
    parser.add_argument("--draw", type=int, default=0, metavar="N", help="seed by which the run is drawn (default: 0)")


def execute(options: argparse.Namespace) -> int:
    """Do the run and print how it compares; return 1 if it differs, 130 if it was interrupted."""
    from assay.studies.conduct import InterruptedStudyError
    from assay.studies.execution.local import run_here
    from assay.studies.verify import LOSS, POINTS, verify_run

    try:
        found = verify_run(options.folder, draw=options.draw, execute=run_here)
    except InterruptedStudyError as stopped:
        print(stopped, file=sys.stderr)
        return 130
    about = f"{found.row}, seed {found.seed} (run {found.key}), done again"
    limits = f"first loss within {LOSS:.0%}, accuracy within {POINTS:.1f} points"
    if not found.differences:
        said = "equal to the bit" if found.is_same_machine else f"on another kind of machine: {limits}"
        print(f"{about}: {said}")
        return 0
    print(f"{about}{'' if found.is_same_machine else ' on another kind of machine'}: it differs")
    for difference in found.differences:
        print(f"  {difference}")
    return 1
