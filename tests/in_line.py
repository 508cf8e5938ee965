"""A study that is done in a second or two, and an executor without processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.run.folder import RunFolder
from assay.run.run import DivergedError, run
from assay.studies.conduct import Execute
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store

STUDY = """
purpose: Which rate suits digits?
base: digits
changes: {train.epochs: 1, train.threads: 1, train.batch_size: 100, train.tensorboard: false}
design: list
rows:
  slow: {optim.lr: 0.001}
  fast: {optim.lr: 0.01}
control: slow
published: {slow: 50, fast: 60}
"""


def write_study(folder: Path) -> Path:
    """A YAML study of two rows on digits."""
    file = folder / "rates.yaml"
    file.write_text(STUDY)
    return file


def run_in_line(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
    """Do the jobs in this process, which is quicker than one for each."""
    for job in jobs:
        store.root.mkdir(parents=True, exist_ok=True)
        folder = store.folder(job)
        watch(job)
        try:
            run(store.recipe(job), folder, resume=RunFolder(folder).recipe.exists())
            outcome = Outcome("finished")
        except DivergedError as error:
            outcome = Outcome("diverged", str(error))
        except ValueError as error:
            outcome = Outcome("failed", str(error))
        store.note(job, outcome)
        yield job, outcome


def counting() -> tuple[Execute, list[str]]:
    """An executor without processes, and the rates and seeds that it has done."""
    done: list[str] = []

    def execute(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        for job, outcome in run_in_line(jobs, store, watch):
            done.append(f"{job.recipe.optim.lr:g} {job.recipe.train.seed}")
            yield job, outcome

    return execute, done
