"""The result of a search: its trials, the best recipe, and which fields mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from assay.recipe.recipe import Recipe
from assay.run.adapt import adapt
from assay.studies.results import StudyResults
from assay.studies.search.space import Space, values_of
from assay.studies.search.trials import EPOCHS, REASON, RUN, Search, end_of

_FEWEST = 8  # finished trials; importances from fewer are little more than chance


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Attributes:
        number: from 0, in the order of drawing.
        values: the searched fields' values, by dotted name.
        state: ``finished``, ``pruned``, ``diverged``, ``refused``, ``failed``, ``put back`` (a later trial with the
            same values continues its run), ``running`` or ``waiting``.
        accuracy: of the selected epoch on the held-out split, in percent; None unless it finished.
        epochs: how many it ran.
        reason: why it did not finish, in a line.
        run: the name of its run folder; empty if no run was begun.
    """

    number: int
    values: Mapping[str, Any]
    state: str
    accuracy: float | None
    epochs: int
    reason: str
    run: str


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        base: the recipe that it began with.
        space: the values that it could try.
        trials: in the order of drawing.
        importances: the share of each field in the variance of the finished trials' accuracies, the largest first;
            they add up to 1.
        no_importances: why there are no importances; empty if there are.
        confirmation: the base and the best recipe, trained again with fresh seeds; None if that was not done.
    """

    base: Recipe
    space: Space
    trials: Sequence[TrialResult]
    importances: Mapping[str, float] = field(default_factory=dict)
    no_importances: str = ""
    confirmation: StudyResults | None = None

    @property
    def best(self) -> TrialResult | None:
        """The finished trial with the highest accuracy, the first of equals; None before any has finished.

        The accuracy is optimistic, because the trial was chosen for it.
        """
        finished = [trial for trial in self.trials if trial.accuracy is not None]
        # All of these have an accuracy, which a type checker cannot see.
        return max(finished, key=lambda trial: trial.accuracy or 0.0, default=None)

    @property
    def best_recipe(self) -> Recipe | None:
        """The base with the best trial's values, changed as for the trial."""
        return None if self.best is None else adapt(self.base, self.best.values).recipe

    def of_state(self, *states: str) -> list[TrialResult]:
        """The trials in any of these states."""
        return [trial for trial in self.trials if trial.state in states]


def read_result(optuna_study: optuna.Study, search: Search) -> SearchResult:
    """Return what a search's storage holds of it, without importances and confirmation."""
    trials = [
        TrialResult(
            number=trial.number,
            values=values_of(search.space, trial.params),
            state=end_of(trial) or ("put back" if trial.state == TrialState.FAIL else trial.state.name.lower()),
            accuracy=trial.value if trial.state == TrialState.COMPLETE else None,
            epochs=trial.user_attrs.get(EPOCHS, len(trial.intermediate_values)),
            reason=trial.user_attrs.get(REASON, ""),
            run=trial.user_attrs.get(RUN, ""),
        )
        for trial in optuna_study.get_trials(deepcopy=False)
    ]
    return SearchResult(search.base, search.space, trials)


def add_importances(result: SearchResult, optuna_study: optuna.Study) -> SearchResult:
    """Add the importances by functional analysis of variance (Hutter et al. 2014), or why there are none."""
    accuracies = [trial.accuracy for trial in result.trials if trial.accuracy is not None]
    if len(accuracies) < _FEWEST:
        reason = f"{len(accuracies)} trials have finished; importances take {_FEWEST} or more"
        return replace(result, no_importances=reason)
    if len(set(accuracies)) == 1:  # there is no variance to share out
        return replace(result, no_importances="all finished trials are equally good")
    evaluator = FanovaImportanceEvaluator(seed=0)  # its random forest, so that equal trials give equal shares
    return replace(result, importances=get_param_importances(optuna_study, evaluator=evaluator))
