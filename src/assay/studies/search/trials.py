"""One trial of a search: ask for values, run them, watch the epochs, tell what came of it."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna import Study, Trial
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.trial import TrialState

from assay.base.json_files import read_json
from assay.recipe.recipe import Recipe
from assay.run.build import learning_rate
from assay.run.folder import RunFolder
from assay.studies.conduct import Execute
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.search.claims import Claim, put_back, put_back_abandoned
from assay.studies.search.sampler import SeededByTrial
from assay.studies.search.space import Space, drawn_of, values_of
from assay.studies.search.storage import open_storage, turn

Kind = Literal["finished", "pruned", "diverged", "refused", "failed", "stopped", "enough"]
END, REASON, EPOCHS, RUN = "end", "reason", "epochs", "run"
_STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "refused": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
"""Pruned trials teach the sampler what is worse than any finished one, and so do diverged and refused ones;
a failed run says more of the machine than of the values."""
COUNTED = ("finished", "pruned", "diverged")


@dataclass(frozen=True)
class End:
    """What came of a trial.

    Attributes:
        kind: ``enough`` says that no trial was left to begin; ``stopped`` that a signal arrived.
        reason: in a line, where the trial gave nothing.
        accuracy: of the selected epoch on the held-out split, in percent, where it finished.
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
        trials: how many trials are wanted, pruned and diverged ones included.
        seed: of the drawing.
        pruner: decides after each epoch whether a run is worth going on.
        execute: does runs.
    """

    base: Recipe
    space: Space
    storage: str
    runs: Path
    trials: int
    seed: int
    pruner: BasePruner
    execute: Execute

    @property
    def name(self) -> str:
        """In the storage: another recipe, other code or another space make another search."""
        kinds = {field: [type(kind).__name__, str(kind)] for field, kind in self.space.items()}
        text = json.dumps([Job(self.base).key, kinds])
        return f"assay-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def begin(self) -> None:
        """Make the search in its storage, where it is not there yet; the recipe's own values are tried first."""
        with turn(self.storage), suppress(DuplicatedStudyError):
            study = optuna.create_study(storage=open_storage(self.storage), study_name=self.name, direction="maximize")
            own = drawn_of(self.space, self.base)
            if own is not None:
                study.enqueue_trial(own)

    def open(self) -> Study:
        """The search in its storage, once it has begun; raises ``ValueError`` where it is not there."""
        sampler, storage = SeededByTrial(self.seed), open_storage(self.storage)
        try:
            return optuna.load_study(storage=storage, study_name=self.name, sampler=sampler, pruner=self.pruner)
        except KeyError:
            why = "this process has another version of assay or torch, or sees another storage of that name"
            raise ValueError(f"{self.storage}: the search is not there: {why}") from None

    def recipe(self, drawn: dict[str, Any]) -> Recipe:
        """The recipe of what was drawn; raises ``ValueError`` where the values do not go together."""
        recipe = self.base.but(values_of(self.space, drawn))
        learning_rate(recipe)
        return recipe


def missing(study: Study, wanted: int) -> int:
    """How many trials are neither done nor being done; those whose process is gone are put back first."""
    put_back_abandoned(study)
    trials = study.get_trials(deepcopy=False)
    there = sum(trial.user_attrs.get(END) in COUNTED or trial.state == TrialState.RUNNING for trial in trials)
    return max(0, wanted - there)


def run_trial(search: Search) -> End:
    """Take the next trial of a search, and do it; several processes may do so at once.

    Returns:
        What came of it; the storage holds it by then. A trial that was stopped is queued again.
    """
    study = search.open()
    with turn(search.storage):
        if not missing(study, search.trials):
            return End("enough")
        trial = study.ask({name: kind.distribution() for name, kind in search.space.items()})
        claim = Claim(trial)
    try:
        end = _run(trial, claim, search)
        if end.kind == "stopped":
            put_back(study, trial.number, end.reason)
        else:
            _tell(study, trial, end)
    except UpdateFinishedTrialError:
        return End("failed", f"trial {trial.number} was taken over by another process")
    except BaseException:
        put_back(study, trial.number, "its process had to stop")
        raise
    return end


def _run(trial: Trial, claim: Claim, search: Search) -> End:
    try:
        job = Job(search.recipe(trial.params))
    except ValueError as error:
        return End("refused", str(error))
    trial.set_user_attr(RUN, job.key)
    store = Store(search.runs)
    curve = _Curve(trial, claim, RunFolder(store.folder(job)), job.recipe.train.epochs)
    outcome = store.outcome(job)
    if not curve.watch(job) and (outcome is None or outcome.status == "failed"):
        [(_, outcome)] = search.execute([job], store, curve.watch)
        curve.watch(job)
    trial.set_user_attr(EPOCHS, curve.told)
    return _end(curve, outcome or Outcome("interrupted"))


@dataclass
class _Curve:
    """A run's epochs, told to the pruner one after another, so that its verdict does not depend on when one looks."""

    trial: Trial
    claim: Claim
    folder: RunFolder
    epochs: int
    told: int = 0
    pruned: bool = False

    def watch(self, _job: Job) -> bool:
        """Tell the epochs that have ended since; true once the run is not worth going on."""
        self.claim.renew()
        for row in self.folder.metrics.rows()[self.told :]:
            if self.pruned:
                break
            self.told = row["epoch"]
            self.trial.report(100 * row["held_out_accuracy"], self.told)
            self.pruned = self.told < self.epochs and self.trial.should_prune()
        return self.pruned


def _end(curve: _Curve, outcome: Outcome) -> End:
    if curve.pruned:
        return End("pruned", f"after epoch {curve.told} of {curve.epochs}")
    if outcome.status == "interrupted":
        return End("stopped", "a signal arrived")
    if outcome.status == "finished":
        return End("finished", accuracy=100 * read_json(curve.folder.summary)["held_out"]["accuracy"])
    return End(outcome.status, outcome.reason)


def _tell(study: Study, trial: Trial, end: End) -> None:
    trial.set_user_attr(END, end.kind)
    trial.set_user_attr(REASON, end.reason)
    study.tell(trial, end.accuracy, _STATES[end.kind])
