"""Fine-tuning here against fastai's ``fine_tune`` and against the loop of torchvision's tutorial, in the same seconds.

python benchmarks/peers.py photos --weights weights.pth --size 128 --seeds 5

``photos`` has a folder ``train`` and a folder ``test``, each with a folder for each class. All three begin with the
same weights of the same network and see the same training images; the accuracy is on the test images, and of the last
epoch, unless assay has held images out to choose by. assay goes first, as ``photos-finetune`` proposes it, and the
others train for the processor seconds that it took in all, on one thread: as many whole epochs as fit, at least one.
Their settings are those that their tutorials show. fastai's looks at the test images after each epoch are left out of
this count, and fastai itself where it is not installed. Rows are appended to a file as they come, and those that it
holds are not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import assay
from assay.base.json_files import LineLog
from assay.models.library import split_name
from assay.models.weights import load_weights
from assay.run.find_weights import find_pretrained

MEAN = STD = [0.5, 0.5, 0.5]  # what the EfficientNet-Lites were trained on
Tool = Callable[[argparse.Namespace, int, float], float]


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    rows = LineLog(options.out)
    for seed in range(options.seeds):
        seconds = 0.0
        for tool in tools():
            job = {"photos": options.photos.name, "size": options.size, "seed": seed, "tool": tool}
            row = next((row for row in rows.rows() if job.items() <= row.items()), None)
            if row is None:
                began = time.process_time()
                accuracy = 100 * tools()[tool](options, seed, seconds)
                row = job | {"accuracy": accuracy, "seconds": round(time.process_time() - began, 1)}
                rows.append(row)
                print(json.dumps(row), flush=True)
            seconds = seconds or row["seconds"]
    report([row for row in rows.rows() if (row["photos"], row["size"]) == (options.photos.name, options.size)])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder with train/CLASS/ and test/CLASS/")
    parser.add_argument("--weights", help="of the network: a file, or 'default'", default="default")
    parser.add_argument("--network", default="timm:tf_efficientnet_lite0", help="a network of timm")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="of assay, to try this out")
    parser.add_argument("--out", type=Path, default=Path("peers.jsonl"))
    return parser.parse_args()


def tools() -> dict[str, Tool]:
    """The tools that are installed; assay is the first."""
    return {"assay": with_assay, "tutorial": with_tutorial} | ({"fastai": with_fastai} if find_spec("fastai") else {})


def with_assay(options: argparse.Namespace, seed: int, _: float) -> float:
    changes = {
        "data.name": f"folder:{options.photos}",
        "data.size": options.size,
        "data.split_seed": seed,
        "model.name": options.network,
        "model.pretrained": options.weights,
        "train.seed": seed,
        "train.threads": 1,
        **({"train.epochs": options.epochs} if options.epochs else {}),
    }
    with TemporaryDirectory() as folder:
        summary = assay.train("photos-finetune", changes, out=Path(folder) / "run", progress=False).summary
    return float(summary["test"]["accuracy"])


def pretrained(options: argparse.Namespace, classes: int) -> nn.Module:
    """The network with a new final layer as timm draws it."""
    library, name = split_name(options.network)
    network = library.make(name, classes=classes, channels=3, size=options.size)
    load_weights(network, find_pretrained(options.weights, options.network))
    return network


def images(options: argparse.Namespace, split: str, transform: v2.Transform | None = None) -> ImageFolder:
    """A split as the network's input; without a transform, the middle of each image."""
    whole = v2.Compose([v2.Resize(options.size * 8 // 7), v2.CenterCrop(options.size)])
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    return ImageFolder(str(options.photos / split), v2.Compose([transform or whole, *to_input]))


def accuracy_of(network: Callable[[torch.Tensor], torch.Tensor], test: ImageFolder) -> float:
    with torch.inference_mode():
        right = [network(pixels).argmax(1) == labels for pixels, labels in DataLoader(test, 64)]
    return float(torch.cat(right).float().mean())


def with_tutorial(options: argparse.Namespace, seed: int, seconds: float) -> float:
    """All layers by SGD at 0.001 in batches of 4, a tenth of it after each 7 epochs, with crops and flips."""
    torch.manual_seed(seed)
    train = images(options, "train", v2.Compose([v2.RandomResizedCrop(options.size), v2.RandomHorizontalFlip()]))
    network = pretrained(options, len(train.classes)).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 7, 0.1)
    for _ in epochs_within(seconds):
        for pixels, labels in DataLoader(train, 4, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(network(pixels), labels).backward()
            optimizer.step()
        schedule.step()
    return accuracy_of(network.eval(), images(options, "test"))


def epochs_within(seconds: float) -> Iterator[int]:
    """Count epochs as long as another one of the mean length fits; at least one."""
    began, epoch = time.process_time(), 0
    while epoch == 0 or (time.process_time() - began) * (epoch + 1) / epoch <= seconds:
        yield epoch
        epoch += 1


def with_fastai(options: argparse.Namespace, seed: int, seconds: float) -> float:
    """``fine_tune`` with fastai's augmentation: an epoch of the head alone, then as many of all layers as fit."""
    from fastai.vision import all as fastai

    fastai.set_seed(seed, reproducible=True)
    loaders = fastai.ImageDataLoaders.from_folder(
        options.photos,
        valid="test",
        bs=16,
        num_workers=0,
        item_tfms=fastai.Resize(options.size * 8 // 7),
        batch_tfms=[*fastai.aug_transforms(size=options.size, min_scale=0.75), fastai.Normalize.from_stats(MEAN, STD)],
    )
    body = pretrained(options, loaders.c).state_dict()

    def learner() -> Any:
        made = fastai.vision_learner(
            loaders, options.network.removeprefix("timm:"), pretrained=False, metrics=fastai.accuracy
        )
        made.model[0].model.load_state_dict(body, strict=False)  # but for the final layer, which fastai's body lacks
        made.remove_cb(fastai.ProgressCallback)
        return made

    trial, began = learner(), time.process_time()
    with trial.no_logging():
        trial.fit(1)
        fitted = time.process_time()
        trial.validate()
    epoch = fitted - began - (time.process_time() - fitted)
    final = learner()
    with final.no_logging():
        final.fine_tune(max(1, int(seconds / epoch) - 1))
        return float(final.validate()[1])


def report(rows: list[dict[str, Any]]) -> None:
    for tool in dict.fromkeys(row["tool"] for row in rows):
        accuracies = [row["accuracy"] for row in rows if row["tool"] == tool]
        seconds = statistics.fmean(row["seconds"] for row in rows if row["tool"] == tool)
        each = ", ".join(f"{accuracy:.1f}" for accuracy in accuracies)
        print(f"{tool}: {statistics.fmean(accuracies):.2f} % ({each}) in {seconds:.0f} s")


if __name__ == "__main__":
    main()
