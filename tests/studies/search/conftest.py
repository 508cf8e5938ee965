"""Runs that are only pretended, so that a search takes a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from assay.base.atomic import replace_file
from assay.base.json_files import write_json
from assay.recipe.recipe import Recipe
from assay.run.folder import RunFolder
from assay.studies.conduct import Execute
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store

pytest.importorskip("optuna")

Curve = Callable[[Recipe], Sequence[float]]


@pytest.fixture
def pretend(tmp_path: Path) -> Callable[[Curve], Execute]:
    """A function that makes an ``execute`` of a recipe's held-out accuracies; ``begun.txt`` notes its runs."""

    def make(curve: Curve) -> Execute:
        def execute(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
            for job in jobs:
                yield job, _run(job, store, watch)

        def _run(job: Job, store: Store, watch: Watch) -> Outcome:
            folder = RunFolder(store.folder(job))
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.metrics.cut(0)
            with (tmp_path / "begun.txt").open("a") as file:
                file.write(f"{job.key}\n")
            accuracies = curve(job.recipe)
            for epoch, accuracy in enumerate(accuracies, 1):
                folder.metrics.append({"epoch": epoch, "held_out_accuracy": accuracy})
                if watch(job):
                    return Outcome("interrupted")
            replace_file(folder.recipe, job.recipe.to_yaml())
            labels = torch.zeros(1, dtype=torch.int64)
            replace_file(folder.scores, save({"held_out.scores": torch.zeros(1, 2), "held_out.labels": labels}))
            figures = dict.fromkeys(("parameters", "flops", "seconds", "images_per_second"), 1)
            write_json(folder.summary, {"status": "finished", "held_out": {"accuracy": max(accuracies)}, **figures})
            return Outcome("finished")

        return execute

    return make


@pytest.fixture
def begun(tmp_path: Path) -> Callable[[], list[str]]:
    """A function that gives the keys of the runs that were begun."""
    return lambda: (tmp_path / "begun.txt").read_text().split()
