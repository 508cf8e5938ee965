"""Galleries: many images side by side, each with its words above."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from assay.analysis.figures.style import captioned, no_frame
from assay.analysis.figures.text import plain, short
from assay.base.palette import WRONG
from assay.classifier.evaluation import Evaluation

_COLUMNS, _TILE = 8, 1.45  # of a gallery, and the inches from one image to the next
_LETTERS = 21  # fit above an image at font size 8
_GAP = 0.04  # at each side of an image, in tiles


@dataclass(frozen=True)
class Tile:
    """An image of a gallery: its row in the split, and a few short lines of coloured words that stand above it."""

    row: int
    words: str
    color: str


def plot_gallery(tiles: Sequence[Tile], pictures: NDArray[np.uint8], title: str, caption: str = "") -> Figure:
    """Draw images uint8 ``[N, H, W, C]`` side by side, eight to a line, each with the words of its tile above."""
    texts = [tile.words.split("\n") for tile in tiles]
    size = 8 if max((len(line) for text in texts for line in text), default=0) <= _LETTERS else 7
    above = 0.16 / _TILE * max(map(len, texts), default=0)  # for the words, in tiles
    columns, lines = max(min(_COLUMNS, len(tiles)), 1), math.ceil(len(tiles) / _COLUMNS)
    height = _TILE * (1 + above) * lines if tiles else 0.5
    figure = captioned(
        max(_TILE * columns, 6.5), height, title, caption
    )  # narrower ones break the title into many lines
    axes = figure.subplots()
    for place, (tile, picture) in enumerate(zip(tiles, pictures, strict=True)):
        line, column = divmod(place, columns)
        top = above + line * (1 + above)
        put_picture(axes, picture, column, top)
        axes.text(column + 0.5, top + _GAP / 2, tile.words, fontsize=size, color=tile.color, ha="center", va="bottom")
    frame_tiles(axes, columns, max(lines, 1) * (1 + above))
    return figure


def plot_mistakes(evaluation: Evaluation, title: str = "", most: int = 40) -> Figure:
    """Draw the wrongly answered images, the most confident first, each with its answer, its label and its name."""
    tiles = []
    for row in evaluation.mistakes()[:most]:
        answer, label = (evaluation.classes[int(number[row])] for number in (evaluation.predicted, evaluation.labels))
        words = mistake_words(answer, float(evaluation.confidence[row]), label, evaluation.names[row])
        tiles.append(Tile(row, words, WRONG))
    figure = plot_gallery(tiles, evaluation.pictures([tile.row for tile in tiles]), title)
    if not tiles:
        figure.suptitle(f"{figure.get_suptitle()}\nno mistakes", fontsize=12)
    return figure


def plot_samples(evaluation: Evaluation, title: str = "", each: int = 8, most: int = 20) -> Figure:
    """Draw the first images of each class, a class to a row; of more classes than ``most``, the first ones."""
    classes = evaluation.classes[:most]
    rows = [torch.nonzero(evaluation.labels == number).flatten()[:each].tolist() for number in range(len(classes))]
    figure = Figure(figsize=(1.6 + 0.8 * each, 0.5 + 0.8 * len(rows)), layout="constrained")
    figure.suptitle(plain(title))
    axes = figure.subplots()
    for line, members in enumerate(rows):
        for column, picture in enumerate(evaluation.pictures(members)):
            put_picture(axes, picture, column, line)
    frame_tiles(axes, each, len(rows))
    axes.set_yticks([line + 0.5 for line in range(len(rows))], [short(name, 16) for name in classes])
    axes.tick_params(length=0)
    return figure


def answer_words(answer: str, confidence: float, most: int = 14) -> str:
    """Return an answer of at most ``most`` letters and its probability in percent: ``cat? 98 %``."""
    return f"{short(answer, most)}? {100 * confidence:.0f} %"


def mistake_words(answer: str, confidence: float, label: str, name: str) -> str:
    """Return the three lines above a wrongly answered image: the answer, the label, the end of the image's name."""
    return f"{answer_words(answer, confidence)}\nlabel {short(label, 15)}\n{short(name, 20, keep_end=True)}"


def show_picture(axes: Axes, picture: NDArray[np.uint8], **style: Any) -> None:
    """Draw a picture ``[H, W, C]`` with C 1 (grey) or 3 (RGB), without a frame."""
    grey = picture.shape[-1] == 1
    axes.imshow(picture[..., 0] if grey else picture, cmap="gray" if grey else None, vmin=0, vmax=255, **style)
    no_frame(axes)


def put_picture(axes: Axes, picture: NDArray[np.uint8], left: float, top: float) -> None:
    """Draw a picture ``[H, W, C]`` within the tile whose upper left corner is at (left, top), one unit wide and high.

    Many pictures share their axes, for axes of its own cost each picture a tenth of a second.
    """
    height, width = (side / max(picture.shape[:2]) * (0.5 - _GAP) for side in picture.shape[:2])
    x, y = left + 0.5, top + 0.5
    show_picture(axes, picture, extent=(x - width, x + width, y + height, y - height))


def frame_tiles(axes: Axes, columns: float, lines: float) -> None:
    """Show so many tiles, the first one at the upper left, as squares and without a frame."""
    axes.set(xlim=(0, columns), ylim=(lines, 0), aspect="equal")
    no_frame(axes)
