"""Pictures for the log: small, and made in milliseconds."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from assay.base.palette import DARK_GREY, WRONG
from assay.base.text import shorten
from assay.classifier.evaluation import Evaluation
from assay.data.pictures import enlarge, mosaic, to_image
from assay.models.kernels import first_kernels

_MOST_FILTERS = 64

_MOST_MISTAKES = 12
_COLUMNS = 3
_SIDE = 96  # pixels of a misclassified image
_TILE = (118, 136)  # three of them are as wide as TensorBoard shows a picture, so that the text can be read
_LINE = 16  # pixels from one line of text to the next
_HEAD = 40  # pixels above the pictures, for two lines of text
_MOST_LETTERS = 12


def draw_kernels(network: nn.Module) -> Tensor | None:
    """Draw the first 2-D convolution's filters as a grid, at most 64; None where the network has no convolution.

    Mid grey is the weight 0. Filters that read three channels are shown in colours, of others the first four
    channels side by side (``models/kernels.py``).

    Returns:
        float32 ``[3, H, W]`` in [0, 1].
    """
    if not any(isinstance(layer, nn.Conv2d) for layer in network.modules()):
        return None
    kernels = first_kernels(network)
    pictures = kernels.pictures(_MOST_FILTERS)
    shown = pictures if kernels.coloured else np.repeat(0.5 + 0.5 * pictures[..., None], 3, axis=-1)
    columns = min(len(shown), max(8, 4 * kernels.per_filter))
    # A browser enlarges small pictures by interpolation, which would blur the kernels.
    grid = mosaic(enlarge(shown), columns, gap=2, fill=1.0)
    return torch.from_numpy(grid.transpose(2, 0, 1))


def draw_mistakes(evaluation: Evaluation) -> Image.Image:
    """Draw the 12 most confident mistakes, each with its answer and its label; the head says how many there are."""
    wrong = evaluation.mistakes()
    rows = wrong[:_MOST_MISTAKES]
    lines = math.ceil(len(rows) / _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _TILE[0], _HEAD + lines * _TILE[1]), "white")
    which = f", the {len(rows)} surest" if len(wrong) > len(rows) else ""
    _write(sheet, 2, f"{len(wrong):,} mistakes in {len(evaluation.labels):,} images{which}", DARK_GREY)
    _write(sheet, 2 + _LINE, "red: predicted, and how surely", WRONG)
    for place, (row, picture) in enumerate(zip(rows, evaluation.pictures(rows), strict=True)):
        across, down = place % _COLUMNS * _TILE[0], _HEAD + place // _COLUMNS * _TILE[1]
        sheet.paste(_tile(evaluation, row, to_image(picture)), (across, down))
    return sheet


def _tile(evaluation: Evaluation, row: int, picture: Image.Image) -> Image.Image:
    """Return a picture with two lines below it, which are cut where they are too long."""
    answer, label = (evaluation.classes[int(numbers[row])] for numbers in (evaluation.predicted, evaluation.labels))
    percent = 100 * float(evaluation.confidence[row])
    # A small picture is shown pixel by pixel, as it is stored.
    how = Image.Resampling.NEAREST if picture.width <= _SIDE else Image.Resampling.BILINEAR
    tile = Image.new("RGB", _TILE, "white")
    tile.paste(picture.resize((_SIDE, _SIDE), how), (4, 0))
    _write(tile, _SIDE + 2, f"{percent:.0f} % {shorten(answer, _MOST_LETTERS)}", WRONG)
    _write(tile, _SIDE + 2 + _LINE, f"true: {shorten(label, _MOST_LETTERS)}", DARK_GREY)
    return tile


def _write(sheet: Image.Image, top: int, text: str, color: str) -> None:
    ImageDraw.Draw(sheet).text((4, top), text, fill=color, font=_font())


@cache
def _font() -> ImageFont.FreeTypeFont:
    """Return the font of the other figures, which has more scripts than Pillow's own."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 12)
