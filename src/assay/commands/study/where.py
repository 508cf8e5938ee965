"""Where the runs of a study or a search run, as arguments of a command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.commands.fields import given_fields

if TYPE_CHECKING:
    from assay.studies.conduct import Execute


def add_where(parser: argparse.ArgumentParser) -> None:
    """``--on``, ``--address``, ``--cpus`` and ``--gpus``."""
    parser.add_argument("--on", choices=["here", "ray"], default="here", help="where the runs run (default: here)")
    parser.add_argument("--address", help="of a Ray cluster (default: a Ray of this machine's own)")
    parser.add_argument(
        "--cpus", type=int, metavar="N", help="CPU threads of one run (default: torch's choice; ray: 1)"
    )
    parser.add_argument("--gpus", type=float, default=0.0, metavar="N", help="GPUs of one run, on ray (default: 0)")


def changes_of(options: argparse.Namespace) -> dict[str, Any]:
    """The given fields, and the threads: another number of them may round otherwise, so it belongs to the runs."""
    changes = given_fields(options)
    if options.cpus is None and (options.on == "here" or "train.threads" in changes):
        return changes
    if options.cpus is not None and "train.threads" in changes:
        raise ValueError("--cpus and --train.threads say the same; give one of them")
    return {**changes, "train.threads": 1 if options.cpus is None else options.cpus}


def is_on_ray(options: argparse.Namespace) -> bool:
    """Whether Ray is asked for; raises ``ValueError`` where its options are given without it."""
    if options.on == "here" and (options.address or options.gpus):
        raise ValueError("--address and --gpus are for --on ray")
    return bool(options.on == "ray")


def executor(options: argparse.Namespace, changes: Mapping[str, Any]) -> Execute:
    """What does the runs: here, one after another, or on Ray; ``changes`` are those of ``changes_of``."""
    from assay.studies.execution.local import run_here

    if not is_on_ray(options):
        return run_here
    from assay.studies.execution.on_ray import Ray

    return Ray(address=options.address, cpus=changes["train.threads"], gpus=options.gpus)
