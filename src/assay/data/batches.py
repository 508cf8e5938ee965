"""Batches: shuffled, augmented and normalised, the same for the same seed, epoch and step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from assay.data.augment import Augmentation
from assay.data.dataset import Dataset
from assay.data.preprocess import Normalize


class TrainBatches:
    """The steps of an epoch.

    All randomness comes from (seed, epoch, step), so the batches after any step are the same
    whether or not the steps before it were taken in this process. The images that do not fill
    a last batch are left out of the epoch; each epoch leaves out others.

    Args:
        dataset: the training images.
        batch_size: images per step.
        normalize: from pixels to the network's input.
        augmentations: applied to the pixels in this order.
        seed: of the order and of the augmentations.
        device: where the batches are made.

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
        seed: int = 0,
        device: torch.device = torch.device("cpu"),  # noqa: B008 - a constant
    ) -> None:
        if len(dataset) < batch_size:
            raise ValueError(f"train.batch_size: {batch_size} is more than the {len(dataset)} training images")
        self.dataset, self._batch_size, self._normalize = dataset, batch_size, normalize
        self._augmentations, self._seed = augmentations, seed
        self._generator = Generator(device)

    def __len__(self) -> int:
        return len(self.dataset) // self._batch_size

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images float32 ``[B, C, H, W]`` and labels int64 ``[B]`` of an epoch, from step ``start`` on."""
        device = self.dataset.labels.device
        order = torch.randperm(len(self.dataset), generator=Generator().manual_seed(_mix(self._seed, number)))
        rows = torch.split(order.to(device), self._batch_size)[start : len(self)]
        for step, (batch, pixels) in enumerate(zip(rows, self.dataset.read(rows), strict=True), start):
            self._generator.manual_seed(_mix(self._seed, number, step))
            for augment in self._augmentations:
                pixels = augment(pixels, self._generator)
            yield self._normalize(pixels), self.dataset.labels[batch]


class EvaluationBatches:
    """All images once, in their own order, not augmented; the last batch may be smaller."""

    def __init__(self, dataset: Dataset, batch_size: int, normalize: Normalize) -> None:
        self.dataset = dataset
        self._batch_size, self._normalize = batch_size, normalize

    def __len__(self) -> int:
        return -(-len(self.dataset) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images float32 ``[B, C, H, W]`` and labels int64 ``[B]``."""
        order = torch.arange(len(self.dataset), device=self.dataset.labels.device)
        rows = torch.split(order, self._batch_size)
        for batch, pixels in zip(rows, self.dataset.read(rows), strict=True):
            yield self._normalize(pixels), self.dataset.labels[batch]


def _mix(seed: int, *place: int) -> int:
    """One seed from several numbers, such that close numbers, or fewer of them, give unrelated seeds."""
    high, low = np.random.SeedSequence(seed, spawn_key=place).generate_state(2, np.uint32)
    return (int(high) << 31) ^ int(low)
