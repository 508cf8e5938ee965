"""Batches: shuffled, augmented and normalised, the same for the same seed, epoch and step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Generator, Tensor

from assay.base.ranks import ALONE, Ranks
from assay.data.ahead import made_ahead
from assay.data.augment.draw import Augmentation, Draw
from assay.data.augment.mix import Mix, one_hot
from assay.data.dataset import Dataset, MemoryDataset
from assay.data.preprocess import Normalize
from assay.data.sides import SideOf, as_they_are, scaled_down

_TRANSFORM = 1  # keeps the seeds of a dataset's own transform apart from those of the augmentations


class TrainBatches:
    """The steps of an epoch.

    All randomness comes from (seed, epoch, step), so the batches after any step are the same
    whether or not the steps before it were taken in this process. The images that do not fill
    a last batch are left out of the epoch; each epoch leaves out others.

    Processes that train together have a share of each batch. Augmentations and mixes, whose draws are those of the
    whole batch, are done to all of it in each process; without them, each reads its own share alone. Of a set that
    streams each decodes its own share in any case, and they send each other the pixels where all are needed.

    Args:
        dataset: the training images.
        batch_size: images per step.
        normalize: from pixels to the network's input.
        augmentations: applied to the pixels in this order, after what the dataset's own transform
            has made of them.
        mix: mixes the images of a batch, and their labels, after they are normalised.
        classes: how many there are; needed for ``mix`` alone.
        side_of: the side of each epoch's images, of which the dataset's own transform makes them if it can; larger
            ones are scaled down last of all.
        seed: of the order, of the dataset's own transform, of the augmentations and of the mix.
        device: where the batches are made.
        ahead: make each batch while the one before it is used.
        ranks: the processes that share each batch.
        parts: how many equal parts a batch is computed in, of each of which every process has its share.

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
        side_of: SideOf = as_they_are,
        seed: int = 0,
        device: torch.device = torch.device("cpu"),  # noqa: B008 - a constant
        ahead: bool = False,
        ranks: Ranks = ALONE,
        parts: int = 1,
    ) -> None:
        if len(dataset) < batch_size:
            raise ValueError(f"train.batch_size: {batch_size} is more than the {len(dataset)} training images")
        assert mix is None or classes is not None
        self.dataset, self._batch_size, self._normalize = dataset, batch_size, normalize
        self._augmentations, self._mix_images, self._classes, self._seed = augmentations, mix, classes, seed
        self._side_of, self._device, self._is_ahead = side_of, device, ahead
        self._ranks, self._share = ranks, partial(ranks.share, parts=parts)

    def __len__(self) -> int:
        return len(self.dataset) // self._batch_size

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch from step ``start`` on.

        Yields:
            Images float32 ``[B, C, H, W]``, and labels int64 ``[B]``; with a mix, each image's shares
            of the classes instead, float32 ``[B, K]``. They are this process's share of the batch.
        """
        batches = self._made(number, start)
        yield from made_ahead(batches) if self._is_ahead else batches

    def _made(self, number: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        is_whole = bool(self._augmentations) or self._mix_images is not None
        is_sent = is_whole and not isinstance(self.dataset, MemoryDataset)
        before, after = (self._share if is_sent or not is_whole else _all_of), (self._share if is_whole else _all_of)
        # Drawn on the CPU, so that the order is the same on every device.
        order = self.dataset.shuffled(Generator().manual_seed(derived_seed(self._seed, number)))
        steps, generator, side = range(start, len(self)), Generator(self._device), self._side_of(number)
        whole = torch.split(order.to(self.dataset.labels.device), self._batch_size)
        batches = whole[start : len(self)]  # without the incomplete last one
        seeds = (before(_image_seeds(self._batch_size, self._seed, number, step)) for step in steps)
        read = self.dataset.read([before(batch) for batch in batches], seeds, side)
        own = self._share(torch.arange(self._batch_size))
        for step, batch, pixels in zip(steps, batches, read, strict=True):
            generator.manual_seed(derived_seed(self._seed, number, step))
            if is_sent:
                pixels = _gathered(pixels, own, self._batch_size, self._ranks)
            pixels = _augmented(pixels, self._augmentations, Draw(generator, number, batch))
            images, labels = self._normalize(pixels), self.dataset.labels[batch if is_whole else before(batch)]
            if self._mix_images is not None and self._classes is not None:
                images, labels = self._mix_images(images, one_hot(labels, self._classes), generator)
            images = after(images)
            yield images if side is None else scaled_down(images, side), after(labels)


class EvaluationBatches:
    """Images once, in their own order; the last batch may be smaller.

    Args:
        dataset: the images.
        batch_size: images per batch.
        normalize: from pixels to the network's input.
        augmentations: as in training; the draws of an image are the same each time, and those of epoch 0.
        seed: of these draws, and of the dataset's own transform; None leaves the images as they are.
        rows: of the images to go through, int64 on the device; None is all of them.
        ranks: the processes that share each batch, as in training.
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
        ranks: Ranks = ALONE,
    ) -> None:
        assert seed is not None or not augmentations
        self.dataset = dataset
        self._rows = torch.arange(len(dataset), device=dataset.labels.device) if rows is None else rows
        self._batch_size, self._normalize = batch_size, normalize
        self._augmentations, self._seed, self._ranks = augmentations, seed, ranks

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's share of each batch, if it has one: images float32 ``[B, C, H, W]``, labels int64 ``[B]``."""
        before, after = (_all_of, self._ranks.share) if self._augmentations else (self._ranks.share, _all_of)
        seed, whole = self._seed, torch.split(self._rows, self._batch_size)
        own = {number: rows for number, batch in enumerate(whole) if len(rows := before(batch))}
        seeds = None if seed is None else [before(_image_seeds(len(whole[number]), seed, number)) for number in own]
        for (number, batch), pixels in zip(own.items(), self.dataset.read([*own.values()], seeds), strict=True):
            if seed is not None:
                generator = Generator(pixels.device).manual_seed(derived_seed(seed, number))
                pixels = _augmented(pixels, self._augmentations, Draw(generator, 0, batch))
            if len(rows := after(batch)):
                yield self._normalize(after(pixels)), self.dataset.labels[rows]

    @property
    def has_share(self) -> bool:
        """Whether this process has any of the images."""
        return any(len(self._ranks.share(batch)) for batch in torch.split(self._rows, self._batch_size))

    def gather(self, scores: Tensor) -> Tensor:
        """The scores of all images, ``[N, K]``, from those of this process's share."""
        batches = torch.split(torch.arange(len(self._rows)), self._batch_size)
        places = torch.cat([self._ranks.share(batch) for batch in batches])
        return _gathered(scores, places, len(self._rows), self._ranks)


def _gathered(share: Tensor, places: Tensor, count: int, ranks: Ranks) -> Tensor:
    """All values ``[count, ...]``, of which this process has those of its ``places``, and others the rest."""
    if ranks.size == 1:
        return share
    whole = share.new_zeros(count, *share.shape[1:])
    whole[places.to(share.device)] = share
    ranks.add_up([whole])
    return whole


def _all_of(values: Tensor) -> Tensor:
    return values


def _augmented(pixels: Tensor, augmentations: Sequence[Augmentation], draw: Draw) -> Tensor:
    for augment in augmentations:
        pixels = augment(pixels, draw)
    return pixels


def derived_seed(seed: int, *place: int) -> int:
    """One seed from several numbers, such that close numbers, or fewer of them, give unrelated seeds."""
    high, low = np.random.SeedSequence(seed, spawn_key=place).generate_state(2, np.uint32)
    return (int(high) << 31) ^ int(low)  # 63 bits, so that it is no negative number as int64


def _image_seeds(count: int, seed: int, *place: int) -> Tensor:
    """The seeds of a batch's images for their dataset's own transform, int64 ``[count]``."""
    seeds = np.random.SeedSequence(seed, spawn_key=(*place, _TRANSFORM)).generate_state(count, np.uint64)
    return torch.from_numpy((seeds >> np.uint64(1)).astype(np.int64))
