"""How much the accuracies of a row vary from seed to seed, from the rows that were run for ``results/``."""

from __future__ import annotations

from statistics import median

# Standard deviations of the accuracy over the seeds 0 to 2, in percentage points, in results/*/table.csv at commit
# dc86466; without the control that four of the tables share. Fixed, so that a verdict does not depend on which tables
# lie beside it.
_DEVIATIONS = {
    "activation": (2.723, 0.425, 0.810, 0.248, 4.322, 2.044),
    "bn-smoothness": (1.573, 0.813, 0.841, 0.846, 0.697, 0.750, 1.143, 0.816, 0.822, 0.663),
    "optimizer": (3.513, 1.091, 0.942, 8.114),
    "stem": (0.501, 1.512, 0.765),
    "weight-decay": (1.085, 1.043, 0.899),
}


def prior_deviation(study: str = "") -> float:
    """Return the median standard deviation over the rows of studies other than this one, in percentage points."""
    return median(value for name, values in _DEVIATIONS.items() if name != study for value in values)
