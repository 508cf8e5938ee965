"""Pictures for the log: small, and made in milliseconds."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import matplotlib
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from torchvision.utils import make_grid

from assay.classifier.evaluation import Evaluation
from assay.models.kernels import first_kernels

_MOST_FILTERS = 64
_SMALLEST_SIDE = 24  # pixels of a kernel

_MOST_MISTAKES = 12
_COLUMNS = 3
_SIDE = 96  # pixels of a misclassified image
_TILE = (118, 136)  # three of them are as wide as TensorBoard shows a picture, so that the text can be read
_LINE = 16  # pixels from one line of text to the next
_HEAD = 40
_MOST_LETTERS = 12
_BLACK, _RED = (40, 40, 40), (179, 38, 30)


def draw_kernels(network: nn.Module) -> Tensor | None:
    """The first 2-D convolution's filters as a grid, at most 64; None where the network has no convolution.

    Mid grey is the weight 0. Filters that read three channels are shown in colours, of others the first four
    channels side by side (``models/kernels.py``).

    Returns:
        float32 ``[3, H, W]`` in [0, 1].
    """
    if not any(isinstance(layer, nn.Conv2d) for layer in network.modules()):
        return None
    kernels = first_kernels(network)
    pictures = kernels.pictures(_MOST_FILTERS)
    shown = torch.from_numpy(pictures.transpose(0, 3, 1, 2) if kernels.coloured else 0.5 + 0.5 * pictures[:, None])
    together = len(shown) // min(_MOST_FILTERS, len(kernels.weights))
    factor = math.ceil(_SMALLEST_SIDE / min(shown.shape[2:]))
    shown = shown.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    grid: Tensor = make_grid(shown, nrow=max(8, 4 * together), pad_value=1.0)
    return grid


def draw_mistakes(evaluation: Evaluation) -> Image.Image:
    """The 12 most confident mistakes, each with its answer and its label; the head says how many there are."""
    wrong = evaluation.mistakes()
    rows = wrong[:_MOST_MISTAKES]
    lines = math.ceil(len(rows) / _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _TILE[0], _HEAD + lines * _TILE[1]), "white")
    which = f", the {len(rows)} surest" if len(wrong) > len(rows) else ""
    _write(sheet, 2, f"{len(wrong):,} mistakes in {len(evaluation.labels):,} images{which}", _BLACK)
    _write(sheet, 2 + _LINE, "red: predicted, and how surely", _RED)
    for place, picture in enumerate(_pictures(evaluation, rows)):
        across, down = place % _COLUMNS * _TILE[0], _HEAD + place // _COLUMNS * _TILE[1]
        sheet.paste(_tile(evaluation, rows[place], picture), (across, down))
    return sheet


def _pictures(evaluation: Evaluation, rows: list[int]) -> list[Image.Image]:
    if not rows:
        return []
    batch = torch.tensor(rows, device=evaluation.dataset.labels.device)
    pixels = next(iter(evaluation.dataset.read([batch]))).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in pixels]


def _tile(evaluation: Evaluation, row: int, picture: Image.Image) -> Image.Image:
    """A picture with two lines below it; what is too long for them is cut off."""
    answer, label = (evaluation.classes[int(numbers[row])] for numbers in (evaluation.predicted, evaluation.labels))
    percent = 100 * float(evaluation.probabilities[row].amax())
    how = Image.Resampling.NEAREST if picture.width <= _SIDE else Image.Resampling.BILINEAR
    tile = Image.new("RGB", _TILE, "white")
    tile.paste(picture.resize((_SIDE, _SIDE), how), (4, 0))
    _write(tile, _SIDE + 2, f"{percent:.0f} % {_short(answer)}", _RED)
    _write(tile, _SIDE + 2 + _LINE, f"true: {_short(label)}", _BLACK)
    return tile


def _write(sheet: Image.Image, top: int, text: str, color: tuple[int, int, int]) -> None:
    ImageDraw.Draw(sheet).text((4, top), text, fill=color, font=_font())


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The font of the other figures, which has more scripts than Pillow's own."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 12)


def _short(text: str) -> str:
    """One line of at most so many characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _MOST_LETTERS else f"{line[: _MOST_LETTERS - 1]}…"
