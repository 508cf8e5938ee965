"""Whether fine-tuning beats the linear probe of its own features, on a set of images and on parts of it.

python benchmarks/finetune.py folder:photos                          5 seeds on all images
python benchmarks/finetune.py folder:photos --per-class 20 100       parts of it, drawn by each seed for itself
python benchmarks/finetune.py cifar100 --per-class 10 --fields data.size=96 model.pretrained=weights.pth

Each seed draws the parts, the order and the augmentation anew. A part is written as a folder of its own, with the set's
test split and no held-out images but what the recipe holds out of the part. Both accuracies are on the test split; the
linear probe is logistic regression on the pretrained features of the same images, with its penalty chosen by
cross-validation. Rows are appended to a file as they come, and those that it holds are not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import assay
from assay.base.json_files import LineLog
from assay.base.statistics import estimate
from assay.classifier.evaluation import evaluate_batches
from assay.data.stratify import stratified_sample
from assay.recipe.fields import parse_field
from assay.recipe.named import find_recipe
from assay.run.adapt import adapt
from assay.run.build import build
from assay.run.open_set import open_set
from assay.run.suited import suited

RECIPE = "photos-finetune"


def main() -> None:
    options = parse()
    rows = LineLog(options.out)
    done = {key_of(row) for row in rows.rows()}
    for job in jobs(options):
        if key_of(job) not in done:
            rows.append(job | measure(job))
            print(json.dumps(rows.rows()[-1]), flush=True)
    wanted = {key_of(job) for job in jobs(options)}
    report([row for row in rows.rows() if key_of(row) in wanted])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a set, as data.name takes it")
    parser.add_argument("--per-class", type=int, nargs="*", default=[], help="images of each class in a part")
    parser.add_argument("--test", type=int, help="images of the test split to measure a part on; all if not given")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--fields", nargs="*", default=[], metavar="FIELD=VALUE", help="of the recipe, to change")
    parser.add_argument("--out", type=Path, default=Path("finetune.jsonl"))
    return parser.parse_args()


def jobs(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    fields = {name: parse_field(name, value) for name, value in (field.split("=", 1) for field in options.fields)}
    for per_class in options.per_class or [None]:
        for seed in range(options.seeds):
            yield {"data": options.data, "per_class": per_class, "test": options.test, "seed": seed, "fields": fields}


def key_of(row: Mapping[str, Any]) -> str:
    return json.dumps([row[name] for name in ("data", "per_class", "test", "seed", "fields")], sort_keys=True)


def measure(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train once, and say what the network was worth on the test split before its first step and after its last."""
    with TemporaryDirectory() as folder:
        changes = {
            "data.name": job["data"],
            "data.split_seed": job["seed"],
            "train.seed": job["seed"],
            "train.tensorboard": False,
            **job["fields"],
        }
        if job["per_class"]:
            write_part(job, Path(folder) / "images")
            changes["data.name"] = f"folder:{folder}/images"
        components = build(suited(*find_recipe(RECIPE), changes).recipe, torch.device("cpu"))
        probe = evaluate_batches(components.network, components.splits["test"], components.data.classes)
        summary = assay.train(RECIPE, changes, out=Path(folder) / "run", progress=False).summary
    return {
        "probe": 100 * probe.accuracy,
        "tuned": 100 * summary["test"]["accuracy"],
        "epoch": summary["epoch"],
        "epochs": summary["epochs"],
        "train_images": summary["train_images"],
        "seconds": round(summary["seconds"]),
    }


def write_part(job: Mapping[str, Any], folder: Path) -> None:
    """Write some images to learn from and to test on as PNG files, in a folder for each split and class."""
    source = open_set(adapt(find_recipe(RECIPE)[1], {"data.name": job["data"], **job["fields"]}).recipe.data)
    train, test = source.splits["train"], source.splits["test"]
    order = np.random.default_rng(job["seed"]).permutation(len(train))
    drawn = [order[train.labels[order] == label][: job["per_class"]] for label in range(len(source.classes))]
    tested = stratified_sample(test.labels, job["test"] or len(test), job["seed"])
    for name, split, rows in (("train", train, np.concatenate(drawn)), ("test", test, tested)):
        for row in rows.tolist():
            file = folder / name / source.classes[split.labels[row]] / f"{row:06d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            split.images.open(row).save(file)


def report(rows: list[dict[str, Any]]) -> None:
    for per_class in dict.fromkeys(row["per_class"] for row in rows):
        part = [row for row in rows if row["per_class"] == per_class]
        gains = [row["tuned"] - row["probe"] for row in part]
        probe, tuned = (statistics.fmean(row[name] for row in part) for name in ("probe", "tuned"))
        gain = estimate(gains)
        spread = f" [{gain.low:+.2f}, {gain.high:+.2f}]" if len(gains) > 1 else ""
        print(
            f"{per_class or 'all'} of each class, {len(part)} seeds: probe {probe:.2f} %, fine-tuned {tuned:.2f} %, "
            f"gain {gain.mean:+.2f}{spread}, least {min(gains):+.2f}"
        )


if __name__ == "__main__":
    main()
