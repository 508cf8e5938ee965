"""What the documents' commands are typed among: image sets, photos, weights and finished runs, all of them small."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image

from assay.models import build_model
from assay.recipe.named import RECIPES
from assay.run.run import run
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store

SMALL = {
    "train.epochs": 1,
    "train.threads": 1,
    "train.batch_size": 20,
    "train.tensorboard": False,
    "data.train_images": 100,
}
WIDTH = 0.125
PRETRAINED = "timm:test_efficientnet"  # in the place of EfficientNet-Lite0, with a thirtieth of its parameters
RUNS = ("digits", "l2", "plain", "with-l2", "seed-0", "seed-1", "seed-2", "seed-3", "before", "wide", "narrow")


def write_cifar(root: Path, write_parquet: Callable[..., Path], images: int = 600) -> Path:
    """Noise in the place of CIFAR-10 and CIFAR-100, as Parquet files; of 600 images 1 in 50 can be held out."""
    for split, count in (("train", images), ("test", images // 3)):
        fine, ten = [row % 100 for row in range(count)], [row % 10 for row in range(count)]
        write_parquet(
            root / "cifar10" / f"{split}-0.parquet",
            {"label": ten},
            names={"label": [f"class {number}" for number in range(10)]},
            image_column="img",
            side=32,
        )
        write_parquet(
            root / "cifar100" / f"{split}-0.parquet",
            {"fine_label": fine, "coarse_label": [label // 5 for label in fine]},
            names={
                "fine_label": [f"fine {number}" for number in range(100)],
                "coarse_label": [f"coarse {number}" for number in range(20)],
            },
            image_column="img",
            side=32,
        )
    return root


def write_files(root: Path, make_folder: Callable[..., Path]) -> None:
    """The pictures and the weights that the commands name."""
    photos = make_folder(root / "photos", {"cat": 12, "dog": 12}, side=72)
    make_folder(root, {"new-photos": 3, "scans": 2}, side=40)
    for place, scan in enumerate(sorted((root / "scans").iterdir())):
        Image.open(scan).save(root / "scans" / f"{place}.tif")
    with zipfile.ZipFile(root / "more.zip", "w") as archive:
        archive.write(photos / "cat" / "000.png", "000.png")
    for name in ("my-photo.jpg", "cat.jpg", "dog.jpg", "seven.png"):
        Image.open(photos / "dog" / "001.png").save(root / name)
    write_scores(root)
    torch.save(build_model(PRETRAINED, classes=1000).state_dict(), root / "weights.pth")
    torch.save(build_model("torchvision:mobilenet_v3_small", classes=1000).state_dict(), root / "mobilenet.pth")


def write_scores(root: Path) -> None:
    """Scores of two rows, as a table and as the logs of Lightning."""
    scores = {"plain": (90.5, 91.1, 90.8), "mixup": (93.5, 93.1, 93.8)}
    lines = [f"{row},{seed},{score}" for row, own in scores.items() for seed, score in enumerate(own)]
    (root / "scores.csv").write_text("\n".join(["row,seed,score", *lines]))
    for row, own in scores.items():
        for seed, score in enumerate(own):
            folder = root / "logs" / row / f"version_{seed}"
            folder.mkdir(parents=True)
            (folder / "metrics.csv").write_text(f"epoch,step,val_acc\n0,1,{score}\n")


def copy_runs(folder: Path, finished: Path, names: Sequence[str] = RUNS) -> None:
    """The finished run under each of the names."""
    for name in names:
        shutil.copytree(finished, folder / name)


def train_resnet(folder: Path) -> None:
    """A narrow ResNet-18 on CIFAR-10, whose layers have the names that the documents use."""
    run(
        RECIPES["resnet18-cifar"].recipe.but({**SMALL, "train.epochs": 2, "model.width": WIDTH, "data.held_out": 0.1}),
        folder,
    )


def run_small(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
    """Do a study's jobs in this process, each with few images and a narrow network."""
    for job in jobs:
        watch(job)
        recipe = store.recipe(job)
        narrow = {} if recipe.model.name == "simple-cnn" else {"model.width": WIDTH}
        run(recipe.but({**SMALL, **narrow}), store.folder(job))
        outcome = Outcome("finished")
        store.note(job, outcome)
        yield job, outcome
