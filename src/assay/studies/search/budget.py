"""The budget of a search: how much it may run, and with which seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.pruners import BasePruner

from assay.base.numbers import is_whole


@dataclass(frozen=True)
class Budget:
    """How much a search may run, and with which seeds.

    Attributes:
        trials: how many to do, at least 1, pruned and diverged ones included.
        confirm_seeds: the seeds with which the given and the best recipe are trained at the end, all different and
            none of them the recipe's own; without any, there is no confirmation.
        seed: of the drawing, at least 0.
        pruner: stops a run after an epoch; by default one that is below the median of the finished runs at that
            epoch, once 5 have finished, from a quarter of the epochs on.

    Raises:
        ValueError: a number is out of its range, or two seeds to confirm with are equal.
    """

    trials: int = 30
    confirm_seeds: Sequence[int] = (1000, 1001, 1002)
    seed: int = 0
    pruner: BasePruner | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.trials) or self.trials < 1:
            raise ValueError(f"trials: {self.trials!r} is not at least 1")
        if not is_whole(self.seed) or self.seed < 0:
            raise ValueError(f"seed of the drawing: {self.seed!r} is not a whole number of at least 0")
        if len(set(self.confirm_seeds)) < len(self.confirm_seeds):
            raise ValueError(f"seeds to confirm with: {list(self.confirm_seeds)} are not different numbers")
