"""The confusion matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assay.analysis.figures.text import plain
from assay.classifier.evaluation import Evaluation

_MOST_WITH_COUNTS = 20  # classes; the cells of more are too small for numbers


def plot_confusion(evaluation: Evaluation, title: str = "") -> Figure:
    """Draw the confusion matrix in percent of each label; counts of up to 20 classes are written in."""
    counts = evaluation.confusion.numpy()
    # A class without images has a row of zeros.
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = len(evaluation.classes)
    side = min(4 + 0.35 * classes, 14)  # inches
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="percent of the label's images", shrink=0.8)
    has_counts = classes <= _MOST_WITH_COUNTS
    names, size = [plain(name) for name in evaluation.classes], 9 if has_counts else 5
    axes.set_xticks(range(classes), names, rotation=90, fontsize=size)
    axes.set_yticks(range(classes), names, fontsize=size)
    axes.set(xlabel="predicted", ylabel="label", title=plain(title))
    for label, predicted in np.argwhere(counts) if has_counts else ():
        color = "white" if share[label, predicted] > 55 else "black"  # readable on the dark and the pale blues
        count = f"{counts[label, predicted]}"
        axes.text(predicted, label, count, ha="center", va="center", fontsize=7, color=color)
    return figure
