"""Augmentation in images per second: of whole batches here, and of single images by torchvision in a DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from assay.data.augment.build import build_augmentations
from assay.data.augment.colour import IMAGENET_EIGENVALUES, IMAGENET_EIGENVECTORS
from assay.data.augment.draw import Draw
from assay.data.augment.strengths import Strengths
from assay.data.dataset import MemoryDataset
from assay.run.benchmark.gauge import Gauge
from assay.run.benchmark.limits import best_seconds
from assay.run.benchmark.plain import WORKERS, Transformed

_SIDE, _BATCH = 32, 512

Change = Callable[[Any], Any]


class _Lighting:
    """PCA noise of one uint8 tensor, as it is written next to torchvision's transforms."""

    def __init__(self, std: float) -> None:
        self.std = std
        self.axes = torch.tensor(IMAGENET_EIGENVECTORS) * torch.tensor(IMAGENET_EIGENVALUES) * 255

    def __call__(self, image: Tensor) -> Tensor:
        colour = self.axes @ torch.randn(3).mul_(self.std)
        return (image + colour[:, None, None]).round_().clamp_(0, 255).to(torch.uint8)


class _Cutout:
    """A black square on one tensor."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image: Tensor) -> Tensor:
        y, x = (int(torch.randint(0, end, ())) - self.side // 2 for end in image.shape[1:])
        image = image.clone()
        image[:, max(0, y) : max(0, y + self.side), max(0, x) : max(0, x + self.side)] = 0
        return image


@dataclass(frozen=True)
class _Alike:
    """The same augmentation twice: as a recipe's fields, and as transforms of an image and then of its tensor."""

    fields: dict[str, Any]
    of_images: Callable[[], Sequence[Change]] = tuple
    of_tensors: Sequence[Change] = field(default=())


ALIKE = {
    "flip, crop": _Alike(
        {"crop": 4, "flip": 0.5}, lambda: [v2.RandomCrop(_SIDE, padding=4), v2.RandomHorizontalFlip()]
    ),
    "crop": _Alike({"crop": 4}, lambda: [v2.RandomCrop(_SIDE, padding=4)]),
    "translate": _Alike({"translate": 4}, lambda: [v2.RandomAffine(0, translate=(4 / _SIDE, 4 / _SIDE))]),
    "flip": _Alike({"flip": 0.5}, lambda: [v2.RandomHorizontalFlip()]),
    "erase": _Alike({"erase": 0.5}, of_tensors=[v2.RandomErasing(0.5)]),
    "cutout": _Alike({"cutout": 8}, of_tensors=[_Cutout(8)]),
    "grayscale": _Alike({"grayscale": 0.1}, lambda: [v2.RandomGrayscale(0.1)]),
    "rotation": _Alike({"rotation": 15.0}, lambda: [v2.RandomRotation(15)]),
    "resized crop": _Alike({"resized_crop": 0.08}, lambda: [v2.RandomResizedCrop(_SIDE)]),
    "brightness": _Alike({"brightness": 0.2}, lambda: [v2.ColorJitter(brightness=0.2)]),
    "contrast": _Alike({"contrast": 0.2}, lambda: [v2.ColorJitter(contrast=0.2)]),
    "saturation": _Alike({"saturation": 0.2}, lambda: [v2.ColorJitter(saturation=0.2)]),
    "hue": _Alike({"hue": 0.2}, lambda: [v2.ColorJitter(hue=0.2)]),
    "PCA noise": _Alike({"pca_noise": 0.1}, of_tensors=[_Lighting(0.1)]),
    "TrivialAugment": _Alike({"policy": "trivial"}, lambda: [v2.TrivialAugmentWide()]),
    "RandAugment": _Alike({"policy": "rand"}, lambda: [v2.RandAugment()]),
    "grayscale, erase": _Alike(
        {"grayscale": 0.1, "erase": 0.5}, lambda: [v2.RandomGrayscale(0.1)], [v2.RandomErasing(0.5)]
    ),
    "jitter 0.2": _Alike(
        {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.2},
        lambda: [v2.ColorJitter(0.2, 0.2, 0.2, 0.2)],
    ),
    "bag of tricks": _Alike(
        {"resized_crop": 0.08, "flip": 0.5, "brightness": 0.4, "saturation": 0.4, "hue": 0.4, "pca_noise": 0.1},
        lambda: [
            v2.RandomResizedCrop(_SIDE),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(brightness=0.4, saturation=0.4, hue=0.4),
        ],
        [_Lighting(0.1)],
    ),
}
"""by name; one that changes images alone is given as it would be for PIL's and for tensors"""


@dataclass(frozen=True)
class AugmentationSpeed:
    """Images of 32x32 per second through one augmentation, from uint8 images in memory to uint8 batches.

    Attributes:
        name: in `ALIKE`.
        ours: of whole batches, their gathering included.
        torchvision: of single images, PIL or tensors, whichever is faster, in two worker processes that have started.
    """

    name: str
    ours: float
    torchvision: float


def measure_augmentation(name: str, gauge: Gauge, images: int, patience: float) -> AugmentationSpeed:
    """Measure one augmentation of `ALIKE` both ways on so many images, each for ``patience`` seconds."""
    ours = gauge.ours(partial(_our_seconds, name, images, patience)).seconds
    theirs = min(
        gauge.others(partial(_torchvision_seconds, name, as_pil, images, patience)).seconds for as_pil in (True, False)
    )
    return AugmentationSpeed(name, images / ours, images / theirs)


def _noise(images: int) -> Tensor:
    generator = Generator().manual_seed(0)
    return torch.randint(0, 256, (images, 3, _SIDE, _SIDE), dtype=torch.uint8, generator=generator)


def _our_seconds(name: str, images: int, patience: float) -> float:
    augmentations, generator = build_augmentations(Strengths(**ALIKE[name].fields)), Generator().manual_seed(0)
    dataset = MemoryDataset(_noise(images), torch.zeros(images, dtype=torch.int64), [""] * images)

    def epoch() -> None:
        batches = torch.split(torch.randperm(images, generator=generator), _BATCH)
        for rows, pixels in zip(batches, dataset.read(batches), strict=True):
            for augment in augmentations:
                pixels = augment(pixels, Draw(generator, 0, rows))

    return best_seconds(epoch, patience)


def _torchvision_seconds(name: str, as_pil: bool, images: int, patience: float) -> float:
    alike, pixels = ALIKE[name], _noise(images)
    convert = [v2.PILToTensor()] if as_pil else []
    transform = v2.Compose([*alike.of_images(), *convert, *alike.of_tensors] or [v2.Identity()])
    source: Any = [v2.functional.to_pil_image(image) for image in pixels] if as_pil else pixels
    loader = DataLoader(
        Transformed(source, transform), _BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )
    return best_seconds(lambda: [None for _ in loader], patience)
