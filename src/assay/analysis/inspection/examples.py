"""The pictures of an inspection, and what the network answers for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.classifier.classifier import Classifier
from assay.classifier.evaluation import Evaluation
from assay.data.decode import decode
from assay.data.inputs import find_inputs
from assay.data.preprocess import Normalize

MOST = 16
"""Pictures that fit into a figure."""


@dataclass(frozen=True)
class Examples:
    """N pictures.

    Attributes:
        names: of the pictures.
        inputs: what the network sees, float32 ``[N, C, S, S]``, on its device.
        pictures: the same as colours or grey values, uint8 ``[N, S, S, C]``.
        answers: the most probable class of each.
        confidence: its probability, in [0, 1].
        labels: the right class; None where it is not known.
    """

    names: tuple[str, ...]
    inputs: Tensor
    pictures: NDArray[np.uint8]
    answers: tuple[int, ...]
    confidence: tuple[float, ...]
    labels: tuple[int | None, ...]


@dataclass(frozen=True)
class Stored:
    """Pictures before the network has seen them: uint8 ``[N, C, H, W]``, their names and labels."""

    pixels: Tensor
    names: tuple[str, ...]
    labels: tuple[int | None, ...]


def from_files(paths: Sequence[str | Path], classifier: Classifier) -> Stored:
    """Return pictures from whatever ``predict`` takes; raise ``ValueError`` for a bad one, or for more than 16."""
    images = find_inputs(paths)
    count = len(images.names)
    if count > MOST:
        raise ValueError(f"images: {count:,} are too many to look at; name at most {MOST}")
    pixels, bad = next(iter(decode(images, classifier.preprocessing, [range(count)], 0)))
    if bad:
        raise next(iter(bad.values()))
    return Stored(torch.from_numpy(pixels), tuple(images.names), (None,) * count)


def from_evaluation(evaluation: Evaluation, mistakes: int) -> Stored:
    """Return at most ``mistakes`` mistakes, the most confident first, then the first right answer if there is any."""
    right = torch.nonzero(evaluation.correct).flatten()[:1].tolist()
    rows = [*evaluation.mistakes()[:mistakes], *right]
    if not rows:
        raise ValueError("mistakes: 0 leaves no picture to look at, for no answer is right")
    return take(evaluation, rows)


def take(evaluation: Evaluation, rows: Sequence[int]) -> Stored:
    """Return the pictures of those rows, of which there is at least one."""
    pixels = torch.from_numpy(evaluation.pictures(rows)).permute(0, 3, 1, 2).contiguous()
    return Stored(pixels, tuple(evaluation.names[row] for row in rows), tuple(evaluation.labels[list(rows)].tolist()))


@torch.no_grad()
def answer(classifier: Classifier, parts: Sequence[Stored], device: torch.device) -> Examples:
    """Return the pictures with the network's answers, given without test-time augmentation."""
    how = classifier.preprocessing
    pixels = torch.cat([part.pixels.to(device) for part in parts])
    inputs = Normalize(how, device, torch.channels_last)(pixels)
    best = classifier.network(inputs).float().softmax(dim=1).max(dim=1)
    # Undo the normalisation, so that the pictures show the cropping and scaling that the network sees.
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (how.mean, how.std))
    pictures = ((inputs * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
    return Examples(
        tuple(name for part in parts for name in part.names),
        inputs,
        pictures.permute(0, 2, 3, 1).cpu().numpy(),
        tuple(best.indices.tolist()),
        tuple(best.values.tolist()),
        tuple(label for part in parts for label in part.labels),
    )
