"""The baseline: the training loop that tutorials show.

A torchvision dataset of PIL images, torchvision's transforms image by image, a DataLoader with two
workers, contiguous float tensors, and a loss that is read at every step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class PilImages(Dataset):
    """CIFAR-10 as torchvision serves it: a PIL image and a label at a time."""

    def __init__(self, pixels: NDArray[np.uint8], labels: Sequence[int], transform: transforms.Compose) -> None:
        self.pixels, self.labels, self.transform = pixels, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[row])), self.labels[row]


def plain_epoch(
    model: nn.Module,
    pixels: NDArray[np.uint8],
    labels: Sequence[int],
    *,
    batch_size: int,
    crop: int,
    flip: float,
    lr: float,
    steps: int,
) -> float:
    """Images per second over ``steps`` steps, worker start included, as in a first epoch."""
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=crop),
            transforms.RandomHorizontalFlip(flip),
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )
    dataset = PilImages(pixels, labels, transform)
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=2, drop_last=True)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    model.train()
    running, began = 0.0, time.perf_counter()
    for images, targets in islice(loader, steps):
        optimizer.zero_grad()
        loss = criterion(model(images), targets)
        loss.backward()
        optimizer.step()
        running += loss.item()
    assert running > 0
    return steps * batch_size / (time.perf_counter() - began)
