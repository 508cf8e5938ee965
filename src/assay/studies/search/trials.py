"""One trial of a search: ask Optuna for values, run them, report each epoch to the pruner, tell Optuna the result."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import optuna
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.pruners import MedianPruner
from optuna.trial import FrozenTrial, TrialState

from assay.base.json_files import read_json
from assay.recipe.recipe import Recipe
from assay.run.adapt import adapt
from assay.run.build import learning_rate
from assay.run.folder import RunFolder
from assay.run.precision import stated
from assay.studies.conduct import Execute
from assay.studies.execution.store import Job, Store
from assay.studies.search.budget import Budget
from assay.studies.search.reservations import Reservation, put_back, put_back_abandoned
from assay.studies.search.sampler import SeededByTrial
from assay.studies.search.space import Space, drawn_of, values_of
from assay.studies.search.storage import exclusive, open_storage

Kind = Literal["finished", "pruned", "diverged", "refused", "failed", "stopped", "enough"]
END, REASON, EPOCHS, RUN = "end", "reason", "epochs", "run"  # keys of a trial's notes, in storages that exist
_STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "refused": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
"""The sampler takes pruned trials for worse than every finished one, which holds for diverged and refused ones too.
It ignores failed ones, which say more about the machine than about the values."""
COUNTED = ("finished", "pruned", "diverged")


@dataclass(frozen=True)
class TrialEnd:
    """How a trial ended.

    Attributes:
        kind: ``enough`` if no trial was left to begin, ``stopped`` if a signal arrived.
        reason: why the trial gave no accuracy, in a line.
        accuracy: of the selected epoch on the held-out split, in percent, if it finished.
    """

    kind: Kind
    reason: str = ""
    accuracy: float | None = None


@dataclass(frozen=True)
class Search:
    """All that a process needs to take part in a search; it can be pickled.

    Attributes:
        base: the recipe whose fields are searched over.
        space: the values to try.
        storage: where the trials are kept, the full address.
        runs: the folder of run folders.
        budget: the number of trials, the seed of the drawing, and the pruner.
        execute: does the run of a trial.
    """

    base: Recipe
    space: Space
    storage: str
    runs: Path
    budget: Budget
    execute: Execute

    @property
    def name(self) -> str:
        """The name of Optuna's study: another recipe, other code or another space make another search."""
        kinds = {field: [type(kind).__name__, str(kind)] for field, kind in self.space.items()}
        text = json.dumps([Job(self.base).key, kinds])
        return f"assay-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def create(self) -> None:
        """Create the search in its storage unless it exists; the recipe's own values are tried first."""
        storage = open_storage(self.storage)
        with exclusive(self.storage), suppress(DuplicatedStudyError):
            optuna_study = optuna.create_study(storage=storage, study_name=self.name, direction="maximize")
            own = drawn_of(self.space, self.base)
            if own is not None:  # the best values can then be no worse than those that the user has already
                optuna_study.enqueue_trial(own)

    def open(self) -> optuna.Study:
        """Open the search in its storage; raise ``ValueError`` if it is not there."""
        median = MedianPruner(n_startup_trials=5, n_warmup_steps=self.base.train.epochs // 4)
        sampler, pruner = SeededByTrial(self.budget.seed), self.budget.pruner or median
        storage = open_storage(self.storage)
        try:
            return optuna.load_study(storage=storage, study_name=self.name, sampler=sampler, pruner=pruner)
        except KeyError:
            why = "this process has another version of assay or its libraries, or sees another storage of that name"
            raise ValueError(f"{self.storage}: the search is not there: {why}") from None


def end_of(trial: FrozenTrial) -> str | None:
    """How a trial ended, of the kinds of `TrialEnd`; None while it runs or waits, and where it was put back.

    Its note alone says nothing yet: it is written before Optuna is told, and the process may die in between.
    """
    kind = trial.user_attrs.get(END)
    return kind if kind in _STATES and trial.state == _STATES[kind] else None


def count_missing(optuna_study: optuna.Study, wanted: int) -> int:
    """Return how many trials are neither done nor running, after putting back those of dead processes."""
    put_back_abandoned(optuna_study)
    trials = optuna_study.get_trials(deepcopy=False)
    present = sum(end_of(trial) in COUNTED or trial.state == TrialState.RUNNING for trial in trials)
    return max(0, wanted - present)


def run_trial(search: Search) -> TrialEnd:
    """Take the next trial of a search and run it; several processes may do so at once.

    Returns:
        How the trial ended, which the storage holds by then. The values of a trial that was stopped are queued again.
    """
    optuna_study = search.open()
    with exclusive(search.storage):
        if not count_missing(optuna_study, search.budget.trials):
            return TrialEnd("enough")
        trial = optuna_study.ask({name: kind.distribution() for name, kind in search.space.items()})
        reservation = Reservation(trial)
    try:
        end = _run(trial, reservation, search)
        if end.kind == "stopped":
            put_back(optuna_study, trial.number, end.reason)
        else:
            # Before it is told, because Optuna lets nobody change a trial that has ended.
            trial.set_user_attr(END, end.kind)
            trial.set_user_attr(REASON, end.reason)
            optuna_study.tell(trial, end.accuracy, _STATES[end.kind])
    except UpdateFinishedTrialError:
        return TrialEnd("failed", f"trial {trial.number} was taken over by another process")
    except BaseException:  # Ray cancels by KeyboardInterrupt, and others must not wait for the reservation's expiry
        put_back(optuna_study, trial.number, "its process had to stop")
        raise
    return end


def _run(trial: optuna.Trial, reservation: Reservation, search: Search) -> TrialEnd:
    try:
        recipe = stated(adapt(search.base, values_of(search.space, trial.params)).recipe)
        learning_rate(recipe)  # raises if the schedule lacks an option that is given
        job = Job(recipe)
    except ValueError as error:
        return TrialEnd("refused", str(error))
    trial.set_user_attr(RUN, job.key)
    store = Store(search.runs)
    curve = _Curve(trial, reservation, RunFolder(store.folder(job)), job.recipe.train.epochs)
    outcome = store.outcome(job)
    # Another trial, or a process that died before it could tell Optuna, may have left this very run.
    if not curve.watch(job) and (outcome is None or outcome.status == "failed"):
        [(_, outcome)] = search.execute([job], store, curve.watch)
        curve.watch(job)  # reports the epochs that ended after the last look
    trial.set_user_attr(EPOCHS, curve.reported)
    if curve.is_pruned:
        return TrialEnd("pruned", f"after epoch {curve.reported} of {curve.epochs}")
    if outcome is None or outcome.status == "interrupted":
        return TrialEnd("stopped", "a signal arrived")
    if outcome.status == "finished":
        return TrialEnd("finished", accuracy=100 * read_json(curve.folder.summary)["held_out"]["accuracy"])
    return TrialEnd(outcome.status, outcome.reason)


@dataclass
class _Curve:
    """A run's epochs. Each is reported to the pruner in turn, so pruning does not depend on how often one looks."""

    trial: optuna.Trial
    reservation: Reservation
    folder: RunFolder
    epochs: int
    reported: int = 0
    is_pruned: bool = False

    def watch(self, _job: Job) -> bool:
        """Report the epochs that have ended since the last call; return true once the run is pruned."""
        self.reservation.renew()
        for row in self.folder.metrics.rows()[self.reported :]:  # a run appends a row after each epoch
            if self.is_pruned:
                break
            self.reported = row["epoch"]
            self.trial.report(100 * row["held_out_accuracy"], self.reported)
            # After the last epoch there is nothing left to save.
            self.is_pruned = self.reported < self.epochs and self.trial.should_prune()
        return self.is_pruned
