"""The sampler: a Parzen estimator that depends only on the seed and on the trials before."""

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

from assay.studies.search.reservations import INSTEAD_OF


class SeededByTrial(BaseSampler):
    """A new tree-structured Parzen estimator for each trial, seeded by the search's seed and the trial's place.

    A search that was stopped so draws the same values as one that was not, and processes that share a search draw
    different ones. All fields are drawn together. Trials that still run count as bad ones ("constant liar"), so that
    several processes do not try the same values.

    References:
        Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization, section 4.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._own = _parzen(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Make the trial's own sampler."""
        # A trial that was put back is there twice, and takes one place.
        repeated = sum(INSTEAD_OF in one.user_attrs for one in study.get_trials(deepcopy=False)[: trial.number])
        place = trial.number - repeated
        self._own = _parzen(int(np.random.SeedSequence([self._seed, place]).generate_state(1)[0]))
        self._own.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the fields that are drawn together."""
        return self._own.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw the fields that are drawn together."""
        return self._own.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one field alone, as at the beginning of a search."""
        return self._own.sample_independent(study, trial, param_name, param_distribution)


def _parzen(seed: int) -> TPESampler:
    options: Mapping[str, Any] = {"multivariate": True, "constant_liar": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna 4 calls both options experimental
        return TPESampler(seed=seed, **options)
