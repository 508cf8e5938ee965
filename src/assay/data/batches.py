"""Batches: shuffled, augmented and normalised, the same for the same seed, epoch and step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from assay.data.ahead import made_ahead
from assay.data.augment.draw import Augmentation, Draw
from assay.data.augment.mix import Mix, one_hot
from assay.data.dataset import Dataset
from assay.data.preprocess import Normalize
from assay.data.small_first import Resize, as_they_are

_TRANSFORM = 1  # keeps the seeds of a dataset's own transform apart from those of the augmentations


class TrainBatches:
    """The steps of an epoch.

    All randomness comes from (seed, epoch, step), so the batches after any step are the same
    whether or not the steps before it were taken in this process. The images that do not fill
    a last batch are left out of the epoch; each epoch leaves out others.

    Args:
        dataset: the training images.
        batch_size: images per step.
        normalize: from pixels to the network's input.
        augmentations: applied to the pixels in this order, after what the dataset's own transform
            has made of them.
        mix: mixes the images of a batch, and their labels, after they are normalised.
        classes: how many there are; needed for ``mix`` alone.
        resize: applied last, to what the network would see.
        seed: of the order, of the dataset's own transform, of the augmentations and of the mix.
        device: where the batches are made.
        ahead: make each batch while the one before it is used.

    Raises:
        ValueError: there are fewer images than one batch needs.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        normalize: Normalize,
        *,
        augmentations: Sequence[Augmentation] = (),
        mix: Mix | None = None,
        classes: int | None = None,
        resize: Resize = as_they_are,
        seed: int = 0,
        device: torch.device = torch.device("cpu"),  # noqa: B008 - a constant
        ahead: bool = False,
    ) -> None:
        if len(dataset) < batch_size:
            raise ValueError(f"train.batch_size: {batch_size} is more than the {len(dataset)} training images")
        assert mix is None or classes is not None
        self.dataset, self._batch_size, self._normalize = dataset, batch_size, normalize
        self._augmentations, self._mix_images, self._classes, self._seed = augmentations, mix, classes, seed
        self._resize, self._device, self._is_ahead = resize, device, ahead

    def __len__(self) -> int:
        return len(self.dataset) // self._batch_size

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch from step ``start`` on.

        Yields:
            Images float32 ``[B, C, H, W]``, and labels int64 ``[B]``; with a mix, each image's shares
            of the classes instead, float32 ``[B, K]``.
        """
        batches = self._made(number, start)
        yield from made_ahead(batches) if self._is_ahead else batches

    def _made(self, number: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.dataset.labels.device
        # Drawn on the CPU, so that the order is the same on every device.
        order = self.dataset.shuffled(Generator().manual_seed(_derived_seed(self._seed, number)))
        steps, generator = range(start, len(self)), Generator(self._device)
        rows = torch.split(order.to(device), self._batch_size)[start : len(self)]  # without the incomplete last one
        seeds = (_derived_seed(self._seed, number, step, _TRANSFORM) for step in steps)
        for step, batch, pixels in zip(steps, rows, self.dataset.read(rows, seeds), strict=True):
            generator.manual_seed(_derived_seed(self._seed, number, step))
            pixels = _augmented(pixels, self._augmentations, Draw(generator, number, batch))
            images, labels = self._normalize(pixels), self.dataset.labels[batch]
            if self._mix_images is not None and self._classes is not None:
                images, labels = self._mix_images(images, one_hot(labels, self._classes), generator)
            yield self._resize(images, number), labels


class EvaluationBatches:
    """Images once, in their own order; the last batch may be smaller.

    Args:
        dataset: the images.
        batch_size: images per batch.
        normalize: from pixels to the network's input.
        augmentations: as in training; the draws of an image are the same each time, and those of epoch 0.
        seed: of these draws, and of the dataset's own transform; None leaves the images as they are.
        rows: of the images to go through, int64 on the device; None is all of them.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        normalize: Normalize,
        *,
        augmentations: Sequence[Augmentation] = (),
        seed: int | None = None,
        rows: Tensor | None = None,
    ) -> None:
        assert seed is not None or not augmentations
        self.dataset = dataset
        self._rows = torch.arange(len(dataset), device=dataset.labels.device) if rows is None else rows
        self._batch_size, self._normalize = batch_size, normalize
        self._augmentations, self._seed = augmentations, seed

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images float32 ``[B, C, H, W]`` and labels int64 ``[B]``."""
        rows = torch.split(self._rows, self._batch_size)
        seed = self._seed
        seeds = None if seed is None else [_derived_seed(seed, number, _TRANSFORM) for number in range(len(self))]
        for number, (batch, pixels) in enumerate(zip(rows, self.dataset.read(rows, seeds), strict=True)):
            if seed is not None:
                generator = Generator(pixels.device).manual_seed(_derived_seed(seed, number))
                pixels = _augmented(pixels, self._augmentations, Draw(generator, 0, batch))
            yield self._normalize(pixels), self.dataset.labels[batch]


def _augmented(pixels: Tensor, augmentations: Sequence[Augmentation], draw: Draw) -> Tensor:
    for augment in augmentations:
        pixels = augment(pixels, draw)
    return pixels


def _derived_seed(seed: int, *place: int) -> int:
    """One seed from several numbers, such that close numbers, or fewer of them, give unrelated seeds."""
    high, low = np.random.SeedSequence(seed, spawn_key=place).generate_state(2, np.uint32)
    return (int(high) << 31) ^ int(low)  # 63 bits, so that it is no negative number as int64
