"""Figures: learning curves, confusion matrix, galleries of images."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from assay.analysis.figures.text import plain
from assay.base.atomic import replace_file
from assay.classifier.evaluation import Evaluation
from assay.data.dataset import Dataset

_COLORS = {"train": "#2f6fb0", "held_out": "#d9822b", "test": "#3a8f5c"}
_SPLIT_NAMES = {"train": "train", "held_out": "held-out", "test": "test"}
_WRONG = "#b3261e"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, as the name says, atomically."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a script that the font lacks shows as boxes
        figure.savefig(buffer, format=path.suffix.removeprefix("."), dpi=150)
    replace_file(path, buffer.getvalue())


def plot_curves(metrics: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Loss and accuracy of every measured split over the epochs; a point marks each one's best epoch.

    Args:
        metrics: a record's rows.
        title: stands above both.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(plain(title))
    loss, accuracy = figure.subplots(1, 2)
    for split in _COLORS:
        if f"{split}_loss" in metrics[0]:
            _plot_curve(loss, metrics, split, "loss", min)
            _plot_curve(accuracy, metrics, split, "accuracy", max)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None))
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.25)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    return figure


def plot_confusion(evaluation: Evaluation, title: str = "") -> Figure:
    """The confusion matrix in percent of each label; counts of up to 20 classes are written in."""
    counts = evaluation.confusion.numpy()
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = len(evaluation.classes)
    side = min(4 + 0.35 * classes, 14)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="percent of the label's images", shrink=0.8)
    small = 9 if classes <= 20 else 5
    names = [plain(name) for name in evaluation.classes]
    axes.set_xticks(range(classes), names, rotation=90, fontsize=small)
    axes.set_yticks(range(classes), names, fontsize=small)
    axes.set(xlabel="predicted", ylabel="label", title=plain(title))
    if classes <= 20:
        _write_counts(axes, counts, share)
    return figure


def plot_mistakes(evaluation: Evaluation, title: str = "", most: int = 40) -> Figure:
    """The wrongly answered images, the most confident first, each with its answer, its label and its name."""
    rows = evaluation.mistakes()[:most]
    captions = [_caption(evaluation, row) for row in rows]
    return _gallery(_pictures(evaluation.dataset, rows), captions, title, color=_WRONG)


def plot_samples(dataset: Dataset, classes: Sequence[str], title: str = "", each: int = 8, most: int = 20) -> Figure:
    """The first images of each class, a class to a row; of more classes than ``most``, the first ones."""
    labels = dataset.labels.cpu()
    rows = [torch.nonzero(labels == number).flatten()[:each].tolist() for number in range(min(len(classes), most))]
    figure = Figure(figsize=(1.6 + 0.8 * each, 0.5 + 0.8 * len(rows)), layout="constrained")
    figure.suptitle(plain(title))
    grid = figure.subplots(len(rows), each, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for number, (line, members) in enumerate(zip(grid, rows, strict=True)):
        line[0].set_ylabel(_short(classes[number]), rotation=0, ha="right", va="center")
        for axes, picture in zip(line, _pictures(dataset, members), strict=False):
            _show(axes, picture)
    return figure


def _plot_curve(axes: Axes, metrics: Sequence[Mapping[str, Any]], split: str, measure: str, best: Any) -> None:
    scale = 100 if measure == "accuracy" else 1
    epochs = [row["epoch"] for row in metrics]
    values = [math.nan if row[f"{split}_{measure}"] is None else scale * row[f"{split}_{measure}"] for row in metrics]
    color = _COLORS[split]
    finite = [value for value in values if math.isfinite(value)]
    label = f"{_SPLIT_NAMES[split]} (best {best(finite):.2f})" if finite else _SPLIT_NAMES[split]
    axes.plot(epochs, values, color=color, label=label, marker="." if len(epochs) < 40 else None)
    if finite:
        place = values.index(best(finite))
        axes.plot(epochs[place], values[place], "o", color=color, markersize=8, markerfacecolor="white")


def _caption(evaluation: Evaluation, row: int) -> str:
    """The answer and how sure it was, the label, the image's name."""
    answer, label = (evaluation.classes[int(numbers[row])] for numbers in (evaluation.predicted, evaluation.labels))
    percent = 100 * float(evaluation.probabilities[row].amax())
    return f"{_short(answer)}? {percent:.0f} %\nlabel {_short(label)}\n{_short(evaluation.names[row], 18, end=True)}"


def _write_counts(axes: Axes, counts: NDArray[Any], share: NDArray[Any]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if share[row, column] > 55 else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", fontsize=7, color=color)


def _gallery(pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str], title: str, *, color: str) -> Figure:
    columns = 8
    lines = max(math.ceil(len(pictures) / columns), 1)
    figure = Figure(figsize=(1.45 * columns, 0.6 + 1.85 * lines), layout="constrained")
    figure.suptitle(plain(title) if pictures else f"{plain(title)}\nno mistakes")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, picture, caption in zip(grid.flat, pictures, captions, strict=False):
        _show(axes, picture)
        axes.set_title(caption, fontsize=8, color=color)
    return figure


def _pictures(dataset: Dataset, rows: Sequence[int]) -> list[NDArray[np.uint8]]:
    """The given images as uint8 ``[H, W, C]``."""
    if not rows:
        return []
    batch = torch.tensor(rows, device=dataset.labels.device)
    pixels = next(iter(dataset.read([batch])))
    return list(pixels.permute(0, 2, 3, 1).cpu().numpy())


def _show(axes: Axes, picture: NDArray[np.uint8]) -> None:
    gray = picture.shape[-1] == 1
    axes.imshow(picture[..., 0] if gray else picture, cmap="gray" if gray else None, vmin=0, vmax=255)


def _short(text: str, most: int = 16, *, end: bool = False) -> str:
    """At most so many characters, of the text's beginning or of its end."""
    cut = text if len(text) <= most else (f"…{text[1 - most :]}" if end else f"{text[: most - 1]}…")
    return plain(cut)
