"""A study of seconds, and a process that conducts it: ``python small_study.py STORE [ADDRESS]``, which is of a Ray."""

import sys
from collections.abc import Sequence
from pathlib import Path

from assay.recipe.recipe import Recipe
from assay.studies.conduct import Execute, StudyObserver, conduct
from assay.studies.execution.local import run_here
from assay.studies.execution.store import Job, Store
from assay.studies.plan import Plan, plan_study
from assay.studies.results import StudyResults
from assay.studies.study import Row, Study

DIGITS = Recipe().but(
    {
        "data.size": 16,
        "augment.crop": 1,
        "optim.lr": 0.05,
        "optim.momentum": 0.9,
        "train.epochs": 4,
        "train.batch_size": 64,
        "train.threads": 1,
        "train.checkpoint_minutes": 0.0,  # at every step, so that most kills fall near a checkpoint's writing
    }
)
SHORT = DIGITS.but({"train.epochs": 1, "train.batch_size": 200, "train.checkpoint_minutes": 5.0})
STUDY = Study("small", "does a lower rate harm?", DIGITS, (Row("lr 0.05"), Row("lr 0.005", {"optim.lr": 0.005})))


def small_plan() -> Plan:
    return plan_study(STUDY, seeds=(0, 1))


def what_counts(results: StudyResults) -> list[object]:
    """All that the table is made of but times."""
    told: list[object] = []
    for rows in results.rows:
        told += [(rows.row.name, rows.recipe, rows.failures)]
        for result in rows.results:
            correct = None if result.correct is None else result.correct.tolist()
            told += [(result.seed, result.accuracy, result.parameters, result.flops, result.by_selection, correct)]
    return told


def essence(store: Store, job: Job) -> tuple[bytes, ...]:
    """What must not differ between equal runs."""
    names = ("model.safetensors", "metrics.jsonl", "scores.safetensors")
    return tuple((store.folder(job) / name).read_bytes() for name in names)


def _where(addresses: Sequence[str]) -> Execute:
    if not addresses:
        return run_here
    from assay.studies.execution.on_ray import Ray

    # The cluster of the tests has two CPUs: one run at a time, as each worker takes seconds to start.
    return Ray() if addresses == ["its own"] else Ray(addresses[0], cpus=2)


if __name__ == "__main__":
    conduct(small_plan(), Store(Path(sys.argv[1])), StudyObserver(), _where(sys.argv[2:]))
