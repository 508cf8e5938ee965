"""Labels that are likely to be wrong, by cleanlab.

References:
    Northcutt et al. 2021, Confident Learning: Estimating Uncertainty in Dataset Labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from assay.analysis.errors.answers import Answers
from assay.analysis.errors.results import LabelIssue, LabelIssues


def cleanlab_filter() -> Callable[..., Any]:
    """The ``find_label_issues`` of cleanlab; raises ``ValueError`` that says how to install it where it is missing."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise ValueError("label errors are found by cleanlab: pip install 'assay[label-errors]'") from None
    find: Callable[..., Any] = find_label_issues
    return find


def find_label_issues(runs: Sequence[Answers]) -> LabelIssues:
    """The labels of one split that are likely to be wrong, the least probable first.

    An image is named where the runs' mean probabilities disagree with its label more than the rate at which its
    class seems to be mislabelled explains (``filter_by="prune_by_noise_rate"``, the paper's PBNR in section 4).

    Args:
        runs: their answers for images that none of them has learned from.
    """
    first = runs[0]
    shares = np.mean([run.probabilities() for run in runs], axis=0)
    find = cleanlab_filter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues")  # in a class of no or one image
        rows = find(first.labels, shares, return_indices_ranked_by="self_confidence", n_jobs=1)
    items = tuple(
        LabelIssue(
            int(row),
            first.name(row),
            first.classes[first.labels[row]],
            first.classes[shares[row].argmax()],
            float(shares[row].max()),
            float(shares[row, first.labels[row]]),
        )
        for row in rows
    )
    return LabelIssues(first.split, len(first.labels), len(items), items, first.pictures)
