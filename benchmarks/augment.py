"""Images per second of each augmentation, of whole batches here and of single images in torchvision, in one run.

python benchmarks/augment.py                     every augmentation, and the sets that reports use together
python benchmarks/augment.py flip crop           some of them
python benchmarks/augment.py --size 64           of larger images

Both start from uint8 images in memory and end with uint8 batches. torchvision's v2 transforms run in a DataLoader
with two workers, already started, once on PIL images and once on tensors; the faster of the two counts. Nothing else
should run meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from assay.base.registry import choose
from assay.data.augment.build import build_augmentations
from assay.data.augment.colour import IMAGENET_EIGENVALUES, IMAGENET_EIGENVECTORS
from assay.data.augment.draw import Draw
from assay.data.augment.strengths import Strengths
from assay.data.dataset import MemoryDataset

LIGHT, HEAVY = 5.0, 2.0  # the ratios that are aimed at


class Lighting:
    """PCA noise of one uint8 tensor, as it is written next to torchvision's transforms."""

    def __init__(self, std: float) -> None:
        self.std = std
        self.axes = torch.tensor(IMAGENET_EIGENVECTORS) * torch.tensor(IMAGENET_EIGENVALUES) * 255

    def __call__(self, image: Tensor) -> Tensor:
        colour = self.axes @ torch.randn(3).mul_(self.std)
        return (image + colour[:, None, None]).round_().clamp_(0, 255).to(torch.uint8)


class Cutout:
    """A black square on one tensor."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image: Tensor) -> Tensor:
        y, x = (int(torch.randint(0, end, ())) - self.side // 2 for end in image.shape[1:])
        image = image.clone()
        image[:, max(0, y) : max(0, y + self.side), max(0, x) : max(0, x + self.side)] = 0
        return image


@dataclass(frozen=True)
class Row:
    """The same augmentation twice: as a recipe's fields, and as transforms of an image and then of a tensor."""

    bar: float
    fields: dict[str, Any]
    of_images: Callable[[int], Sequence[Callable[[Any], Any]]] = lambda size: ()  # noqa: ARG005
    of_tensors: Sequence[Callable[[Tensor], Tensor]] = field(default=())


ROWS = {
    "crop": Row(LIGHT, {"crop": 4}, lambda size: [v2.RandomCrop(size, padding=4)]),
    "translate": Row(LIGHT, {"translate": 4}, lambda size: [v2.RandomAffine(0, translate=(4 / size, 4 / size))]),
    "flip": Row(LIGHT, {"flip": 0.5}, lambda _: [v2.RandomHorizontalFlip()]),
    "erase": Row(LIGHT, {"erase": 0.5}, of_tensors=[v2.RandomErasing(0.5)]),
    "cutout": Row(LIGHT, {"cutout": 8}, of_tensors=[Cutout(8)]),
    "grayscale": Row(LIGHT, {"grayscale": 0.1}, lambda _: [v2.RandomGrayscale(0.1)]),
    "rotation": Row(HEAVY, {"rotation": 15.0}, lambda _: [v2.RandomRotation(15)]),
    "resized crop": Row(HEAVY, {"resized_crop": 0.08}, lambda size: [v2.RandomResizedCrop(size)]),
    "brightness": Row(HEAVY, {"brightness": 0.2}, lambda _: [v2.ColorJitter(brightness=0.2)]),
    "contrast": Row(HEAVY, {"contrast": 0.2}, lambda _: [v2.ColorJitter(contrast=0.2)]),
    "saturation": Row(HEAVY, {"saturation": 0.2}, lambda _: [v2.ColorJitter(saturation=0.2)]),
    "hue": Row(HEAVY, {"hue": 0.2}, lambda _: [v2.ColorJitter(hue=0.2)]),
    "PCA noise": Row(HEAVY, {"pca_noise": 0.1}, of_tensors=[Lighting(0.1)]),
    "TrivialAugment": Row(HEAVY, {"policy": "trivial"}, lambda _: [v2.TrivialAugmentWide()]),
    "RandAugment": Row(HEAVY, {"policy": "rand"}, lambda _: [v2.RandAugment()]),
    "flip, crop": Row(
        LIGHT,
        {"crop": 4, "flip": 0.5},
        lambda size: [v2.RandomCrop(size, padding=4), v2.RandomHorizontalFlip()],
    ),
    "grayscale, erase": Row(
        LIGHT, {"grayscale": 0.1, "erase": 0.5}, lambda _: [v2.RandomGrayscale(0.1)], [v2.RandomErasing(0.5)]
    ),
    "jitter 0.2": Row(
        HEAVY,
        {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.2},
        lambda _: [v2.ColorJitter(0.2, 0.2, 0.2, 0.2)],
    ),
    "bag of tricks": Row(
        HEAVY,
        {"resized_crop": 0.08, "flip": 0.5, "brightness": 0.4, "saturation": 0.4, "hue": 0.4, "pca_noise": 0.1},
        lambda size: [
            v2.RandomResizedCrop(size),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(brightness=0.4, saturation=0.4, hue=0.4),
        ],
        [Lighting(0.1)],
    ),
}


def main() -> None:
    options = parse()
    rows = {name: choose("augmentation", name, ROWS) for name in options.names or ROWS}
    shape = (options.images, 3, options.size, options.size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=Generator().manual_seed(0))
    print(f"{options.images} images of {options.size}x{options.size}, batches of {options.batch_size}, ", end="")
    print(f"{torch.get_num_threads()} threads")
    print(f"{'':18}{'assay':>12}{'torchvision':>14}{'':8}{'ratio':>8}{'bar':>6}")
    missed = [name for name, row in rows.items() if not compare(name, row, images, options)]
    print(f"below the bar: {', '.join(missed) or 'none'}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="rows of the table (default: all)")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=32, help="side in pixels")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of them counts, for both sides")
    return parser.parse_args()


def compare(name: str, row: Row, images: Tensor, options: argparse.Namespace) -> bool:
    """Print one line of the table; whether the bar is reached."""
    batched = ours(row, images, options)
    singles = {kind: theirs(row, images, options, kind == "PIL") for kind in ("PIL", "tensor")}
    kind, fastest = max(singles.items(), key=lambda item: item[1])
    ratio = batched / fastest
    print(f"{name:18}{batched:12,.0f}{fastest:14,.0f} {kind:7}{ratio:8.1f}{row.bar:6.0f}", flush=True)
    return ratio >= row.bar


def ours(row: Row, images: Tensor, options: argparse.Namespace) -> float:
    """Images per second of whole batches, their gathering included."""
    augmentations, generator = build_augmentations(Strengths(**row.fields)), Generator().manual_seed(0)
    dataset = MemoryDataset(images, torch.zeros(len(images), dtype=torch.int64), [""] * len(images))

    def epoch() -> None:
        batches = torch.randperm(len(images), generator=generator).split(options.batch_size)
        for rows, pixels in zip(batches, dataset.read(batches), strict=True):
            for augment in augmentations:
                pixels = augment(pixels, Draw(generator, 0, rows))

    return len(images) / fastest_of(options.rounds, epoch)


class Transformed(Dataset):
    """An image at a time, as torchvision's own datasets serve it."""

    def __init__(self, images: Sequence[Any], transform: Callable[[Any], Tensor]) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> Tensor:
        return self.transform(self.images[row])


def theirs(row: Row, images: Tensor, options: argparse.Namespace, pil: bool) -> float:
    """Images per second of single images in two worker processes, their start not included."""
    convert = [v2.PILToTensor()] if pil else []
    transform = v2.Compose([*row.of_images(options.size), *convert, *row.of_tensors] or [v2.Identity()])
    source = [v2.functional.to_pil_image(image) for image in images] if pil else images
    loader = DataLoader(
        Transformed(source, transform),
        batch_size=options.batch_size,
        shuffle=True,
        num_workers=2,
        persistent_workers=True,
    )

    def epoch() -> None:
        for _ in loader:
            pass

    return len(images) / fastest_of(options.rounds, epoch)


def fastest_of(rounds: int, epoch: Callable[[], None]) -> float:
    """Seconds of the fastest of some epochs, after one that warms up."""
    epoch()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
