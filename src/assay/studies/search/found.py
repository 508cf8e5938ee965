"""What a search has found: its trials, the best recipe, and which fields mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna import Study
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from assay.recipe.recipe import Recipe
from assay.studies.results import StudyResults
from assay.studies.search.space import Space, values_of
from assay.studies.search.trials import END, EPOCHS, REASON, RUN, Search

_FEWEST = 8  # finished trials from which importances are more than chance


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Attributes:
        number: from 0, in the order of drawing.
        values: of the fields that were searched over, by dotted name.
        state: ``finished``, ``pruned``, ``diverged``, ``refused``, ``failed``, ``put back`` (another trial of the
            same values goes on with its run), ``running`` or ``waiting``.
        accuracy: of the selected epoch on the held-out split, in percent; None where it did not finish.
        epochs: that it ran.
        reason: in a line, where it did not finish.
        run: the name of its run's folder; empty where none was begun.
    """

    number: int
    values: Mapping[str, Any]
    state: str
    accuracy: float | None
    epochs: int
    reason: str
    run: str


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        base: the recipe that it began with.
        space: the values that it tried.
        trials: in the order of drawing.
        importances: the share of each field in the spread of the finished trials' accuracies, the largest first;
            they add up to 1.
        no_importances: why there are none; empty where there are.
        confirmation: the base and the best recipe, trained again with fresh seeds; None where that was not done.
    """

    base: Recipe
    space: Space
    trials: Sequence[TrialResult]
    importances: Mapping[str, float] = field(default_factory=dict)
    no_importances: str = ""
    confirmation: StudyResults | None = None

    @property
    def best(self) -> TrialResult | None:
        """The finished trial of the highest accuracy, the first of equals; None before any has finished.

        Its accuracy is optimistic, for it was chosen by it.
        """
        finished = [trial for trial in self.trials if trial.accuracy is not None]
        return max(finished, key=lambda trial: trial.accuracy or 0.0, default=None)

    @property
    def best_recipe(self) -> Recipe | None:
        """The base with the best trial's values."""
        return None if self.best is None else self.base.but(self.best.values)

    def of_state(self, *states: str) -> list[TrialResult]:
        """The trials in any of these states."""
        return [trial for trial in self.trials if trial.state in states]


def read_found(study: Study, search: Search) -> Found:
    """What the storage holds of a search."""
    trials = study.get_trials(deepcopy=False)
    importances, reason = _importances(study, trials)
    return Found(search.base, search.space, results_of(trials, search.space), importances, reason)


def results_of(trials: Sequence[FrozenTrial], space: Space) -> tuple[TrialResult, ...]:
    """The trials in the terms of the recipe."""
    return tuple(_result(trial, space) for trial in trials)


def _result(trial: FrozenTrial, space: Space) -> TrialResult:
    said = trial.user_attrs
    unfinished = "put back" if trial.state == TrialState.FAIL else trial.state.name.lower()
    return TrialResult(
        number=trial.number,
        values=values_of(space, trial.params),
        state=said.get(END, unfinished),
        accuracy=trial.value if trial.state == TrialState.COMPLETE else None,
        epochs=said.get(EPOCHS, len(trial.intermediate_values)),
        reason=said.get(REASON, ""),
        run=said.get(RUN, ""),
    )


def _importances(study: Study, trials: Sequence[FrozenTrial]) -> tuple[dict[str, float], str]:
    """Functional analysis of variance (Hutter et al. 2014), and why there is none."""
    values = {trial.value for trial in trials if trial.state == TrialState.COMPLETE}
    finished = sum(trial.state == TrialState.COMPLETE for trial in trials)
    if finished < _FEWEST:
        return {}, f"{finished} trials have finished; importances take {_FEWEST} or more"
    if len(values) == 1:
        return {}, "all finished trials are equally good"
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)), ""
