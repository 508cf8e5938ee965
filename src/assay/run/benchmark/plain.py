"""What assay is compared with: the loops that PyTorch's and torchvision's tutorials show.

PIL images and torchvision's transforms one by one, a DataLoader with two workers, contiguous float32 tensors, and a
loss that is read at every step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

WORKERS = 2
_EPOCH = 50_000  # images, as many as CIFAR-10 has: workers start anew after each epoch
_MEAN, _STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
Batch = tuple[Tensor, Tensor]


class Transformed(Dataset[Any]):
    """An item at a time, transformed, as torchvision's own datasets serve it.

    Args:
        items: what is transformed.
        transform: of one item.
        length: of the set, whose items repeat; by default their number.
    """

    def __init__(self, items: Sequence[Any], transform: Callable[[Any], Any], length: int | None = None) -> None:
        self.items, self.transform, self.length = items, transform, length or len(items)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, row: int) -> Any:
        return self.transform(self.items[row % len(self.items)])


class Labelled:
    """A transform of the first of a pair."""

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self.transform = transform

    def __call__(self, pair: tuple[Any, int]) -> tuple[Any, int]:
        """The transformed image, and its label."""
        return self.transform(pair[0]), pair[1]


def loaded_batches(images: Tensor, labels: Tensor, batch: int) -> Iterator[Batch]:
    """Batches without end of uint8 images ``[N, 3, S, S]`` through crop, flip, normalisation and the DataLoader."""
    transform = transforms.Compose(
        [
            transforms.RandomCrop(images.shape[-1], padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(_MEAN, _STD),
        ]
    )
    pictures = map(transforms.functional.to_pil_image, images)
    pairs = list(zip(pictures, labels.tolist(), strict=True))
    dataset = Transformed(pairs, Labelled(transform), max(_EPOCH, batch))
    loader = DataLoader(dataset, batch, shuffle=True, num_workers=WORKERS, drop_last=True)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def held_batches(images: Tensor, labels: Tensor, batch: int, device: torch.device) -> Iterator[Batch]:
    """Batches without end of float images that are held on the device: neither augmented nor loaded."""
    inputs = ((images / 255 - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]).to(device)
    labels = labels.to(device)
    while True:
        rows = torch.randint(len(labels), (batch,), device=device)
        yield inputs[rows], labels[rows]


def train_plainly(network: nn.Module, batches: Iterable[Batch], device: torch.device) -> Iterator[float]:
    """Take a step for each batch, with SGD with momentum; yield its loss."""
    network = network.to(device).train()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    for images, labels in batches:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = criterion(network(images), labels)
        loss.backward()
        optimizer.step()
        yield loss.item()


def label_plainly(scores: Callable[[Tensor], Tensor], files: Sequence[Path]) -> list[int]:
    """The numbers of the best classes of image files, by the scores of normalised batches ``[B, 3, 224, 224]``."""
    transform = transforms.Compose(
        [
            _open,
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    loader = DataLoader(Transformed(files, transform), batch_size=64, num_workers=WORKERS)
    return [label for images in loader for label in scores(images).argmax(1).tolist()]


def _open(file: Path) -> Image.Image:
    return Image.open(file).convert("RGB")
