"""Evaluations to draw, and the size of what is drawn."""

from pathlib import Path

import torch
from PIL import Image

from assay.analysis.figures.style import save_figure
from assay.classifier.evaluation import Evaluation
from assay.data.dataset import MemoryDataset

NAMES = ("$a_$b$", "snake_case", "50 % {x", "back\\slash", "^_^", "a name that is far too long to fit")


def evaluation(
    classes: tuple[str, ...], *, count: int = 60, channels: int = 3, wrong: int = 10, names: str = "{}.png"
) -> Evaluation:
    """``count`` images of which the first ``wrong`` are taken for the next class."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, channels, 6, 6), dtype=torch.uint8, generator=generator)
    labels = torch.arange(count) % len(classes)
    answers = (labels + (torch.arange(count) < wrong)) % len(classes)
    scores = 2.0 * torch.nn.functional.one_hot(answers, len(classes)) + torch.arange(count)[:, None] * 0.0
    scores[range(count), answers] += torch.arange(count) / count  # later ones are more confident
    dataset = MemoryDataset(images, labels, [names.format(number) for number in range(count)])
    return Evaluation.of_dataset(scores, dataset, classes)


def letters(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


def size_of(figure, folder: Path) -> tuple[int, int]:
    """Draws the figure; its width and height."""
    save_figure(figure, folder / "figure.png")
    with Image.open(folder / "figure.png") as image:
        image.load()
        return image.size
