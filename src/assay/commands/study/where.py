"""Where the runs of a study or a search run, as arguments of a command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from assay.commands.fields import given_fields

if TYPE_CHECKING:
    from assay.studies.conduct import Execute
    from assay.studies.search.workers import Workers


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add ``--on``, ``--address``, ``--cpus``, ``--gpus`` and ``--autoscaling``."""
    parser.add_argument("--on", choices=["here", "ray"], default="here", help="where the runs run (default: here)")
    parser.add_argument("--address", help="of a Ray cluster (default: a Ray of this machine's own)")
    parser.add_argument(
        "--cpus", type=int, metavar="N", help="CPU threads of one run (default: torch's choice; ray: 1)"
    )
    parser.add_argument("--gpus", type=float, default=0.0, metavar="N", help="GPUs of one run, on ray (default: 0)")
    parser.add_argument(
        "--autoscaling",
        action="store_true",
        help="the Ray cluster adds machines by itself: wait for one where none has room for a run",
    )


def changes_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the given fields, and on Ray the device and the number of threads, on which a run's rounding depends."""
    changes = given_fields(options)
    if options.on == "ray":  # this machine's own device says nothing about those of the cluster
        changes = {"train.device": "cuda" if options.gpus else "cpu", **changes}
    if options.cpus is None and (options.on == "here" or "train.threads" in changes):
        return changes
    if options.cpus is not None and "train.threads" in changes:
        raise ValueError("--cpus and --train.threads say the same; give one of them")
    # Without --cpus Ray gives a task one CPU; the number is fixed, because the rounding depends on it.
    return {**changes, "train.threads": 1 if options.cpus is None else options.cpus}


def executor_of(options: argparse.Namespace) -> Execute:
    """Return what does a study's runs: this machine, one after another, or Ray."""
    from assay.studies.execution.local import run_here
    from assay.studies.execution.on_ray import Ray

    return Ray(**_share(options)) if _is_on_ray(options) else run_here


def workers_of(options: argparse.Namespace) -> Workers:
    """Return who does a search's trials: this machine, one after another, or Ray."""
    from assay.studies.search.workers import Workers, on_ray

    return on_ray(**_share(options)) if _is_on_ray(options) else Workers()


def _is_on_ray(options: argparse.Namespace) -> bool:
    if options.on == "here" and (options.address or options.gpus or options.autoscaling):
        raise ValueError("--address, --gpus and --autoscaling are for --on ray")
    if options.autoscaling and not options.address:
        raise ValueError("--autoscaling is for a cluster: give its --address")
    return bool(options.on == "ray")


def _share(options: argparse.Namespace) -> dict[str, Any]:
    cpus = changes_of(options)["train.threads"]
    return {"address": options.address, "cpus": cpus, "gpus": options.gpus, "autoscaling": options.autoscaling}
