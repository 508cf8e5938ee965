"""The sampler: a Parzen estimator that depends only on the seed and on the trials before."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

from assay.studies.search.reservations import INSTEAD_OF


class SeededByTrial(TPESampler):
    """A tree-structured Parzen estimator that begins anew with each trial, seeded by the search's seed and its place.

    A search that was stopped so draws the same values as one that was not, and processes that share a search draw
    different ones. All fields are drawn together. Trials that still run count as bad ones ("constant liar"), so that
    several processes do not try the same values.

    References:
        Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization, section 4.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._begin(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin anew, with the trial's own seed."""
        # A trial that was put back is there twice, and takes one place.
        repeated = sum(INSTEAD_OF in one.user_attrs for one in study.get_trials(deepcopy=False)[: trial.number])
        place = trial.number - repeated
        self._begin(int(np.random.SeedSequence([self._seed, place]).generate_state(1)[0]))
        super().before_trial(study, trial)

    def _begin(self, seed: int) -> None:
        """Forget everything: a new estimator has no random state and no search space of earlier trials."""
        options: Mapping[str, Any] = {"multivariate": True, "constant_liar": True}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna 4 calls both options experimental
            super().__init__(seed=seed, **options)
