"""How the next values are drawn: a Parzen estimator that depends on the seed and on the trials before, and no more."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from assay.studies.search.claims import INSTEAD_OF


class SeededByTrial(BaseSampler):
    """A new tree-structured Parzen estimator for each trial; its seed is made of the search's and the trial's place.

    A trial that was put back takes no place of its own.
    So a search that was stopped draws on as it would have, and processes that share one draw different values.
    All fields are drawn together, and trials that still run count as bad ones ("constant liar"), lest several
    processes try the same.

    References:
        Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization, section 4.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._own = _parzen(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Make the trial's own sampler."""
        repeated = sum(INSTEAD_OF in one.user_attrs for one in study.get_trials(deepcopy=False)[: trial.number])
        drawn = trial.number - repeated  # a trial that was put back is there twice, and draws only once
        self._own = _parzen(int(np.random.SeedSequence([self._seed, drawn]).generate_state(1)[0]))
        self._own.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The fields that are drawn together."""
        return self._own.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw those."""
        return self._own.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one field alone, as at the beginning of a search."""
        return self._own.sample_independent(study, trial, param_name, param_distribution)


def _parzen(seed: int) -> TPESampler:
    options: Mapping[str, Any] = {"multivariate": True, "constant_liar": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # both were called so before Optuna 5
        return TPESampler(seed=seed, **options)
