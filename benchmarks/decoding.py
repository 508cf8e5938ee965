"""What one core needs for a photo of a stream: decoding alone, R4's random part, its colours, torchvision's jitter.

python benchmarks/decoding.py                         photos of 500x375 pixels to 224, 192 and 160
python benchmarks/decoding.py --width 1000 --sides 224

Each figure is the processor time of this process with one thread, over all photos, the least of --rounds rounds. The
photos are enlarged noise as JPEG. Workers do the same for `assay train imagenet-baseline` on a set that streams.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from assay.data.augment.build import build_transform
from assay.recipe.named.r4 import BASELINE
from large_set import images


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    photos = images(options.width)[: options.images]
    size = np.mean([len(photo) for photo in photos]) / 1000
    print(f"{len(photos)} photos of {options.width}x{3 * options.width // 4} pixels, {size:.0f} kB in the mean")
    report("decoding alone", photos, options.rounds, lambda image: torch.from_numpy(np.array(image)))
    no_jitter = BASELINE.augment.model_copy(update=dict.fromkeys(BASELINE.augment.jitter, 0.0))
    without = no_jitter.model_copy(update={"pca_noise": 0.0})
    for side in options.sides:
        report(f"to {side}, without colours", photos, options.rounds, build_transform(side, without))
        report(f"to {side}, with R4's colours", photos, options.rounds, build_transform(side, BASELINE.augment))
        theirs = v2.Compose([build_transform(side, no_jitter), v2.ColorJitter(**BASELINE.augment.jitter)])
        report(f"to {side}, torchvision's jitter", photos, options.rounds, theirs)


def report(words: str, photos: list[bytes], rounds: int, change: Callable[[Image.Image], Tensor]) -> None:
    least = min(seconds(photos, change) for _ in range(rounds))
    print(f"{words:28} {1000 * least:5.2f} ms a photo, {1 / least:4.0f} photos/s", flush=True)


def seconds(photos: list[bytes], change: Callable[[Image.Image], Tensor]) -> float:
    torch.manual_seed(0)
    start = time.process_time()
    for photo in photos:
        change(Image.open(io.BytesIO(photo)).convert("RGB"))
    return (time.process_time() - start) / len(photos)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200, help="photos, at most 200")
    parser.add_argument("--width", type=int, default=500, help="of a photo, in pixels")
    parser.add_argument("--sides", type=int, nargs="+", default=[224, 192, 160], help="of the pixels to train on")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
