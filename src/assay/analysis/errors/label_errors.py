"""Labels that are likely to be wrong, by cleanlab.

References:
    Northcutt et al. 2021, Confident Learning: Estimating Uncertainty in Dataset Labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from assay.analysis.errors.results import LabelIssue, LabelIssues
from assay.analysis.errors.runs import EvaluatedRun


def cleanlab_filter() -> Callable[..., Any]:
    """Return cleanlab's ``find_label_issues``; raise ``ValueError`` with how to install it where it is missing."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise ValueError("label errors are found by cleanlab: pip install 'assay[label-errors]'") from None
    find: Callable[..., Any] = find_label_issues
    return find


def find_label_issues(runs: Sequence[EvaluatedRun]) -> LabelIssues:
    """Return the labels of one split that are likely to be wrong, the least probable first.

    An image is listed where the runs' mean probabilities contradict its label, and more such images are in its class
    than its estimated rate of mislabelling allows (``filter_by="prune_by_noise_rate"``, the paper's PBNR in section 4).

    Args:
        runs: evaluated on images that none of them has learned from.
    """
    first = runs[0].evaluation
    labels = first.labels.numpy()
    shares = np.mean([run.evaluation.probabilities.numpy() for run in runs], axis=0)
    # Without n_jobs=1, cleanlab starts a process for each core.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues")  # in a class of no or one image
        rows = cleanlab_filter()(labels, shares, return_indices_ranked_by="self_confidence", n_jobs=1)
    columns = labels[rows], shares[rows].argmax(axis=1), shares[rows].max(axis=1), shares[rows, labels[rows]]
    items = tuple(
        LabelIssue(row, first.names[row], first.classes[given], first.classes[suggested], confidence, of_given)
        for row, given, suggested, confidence, of_given in zip(
            rows.tolist(), *(column.tolist() for column in columns), strict=True
        )
    )
    return LabelIssues(runs[0].split, len(labels), len(items), items, first.dataset)
