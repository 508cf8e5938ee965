"""Whether fine-tuning beats the linear probe of its own features, on a set of images and on parts of it.

python benchmarks/finetune.py folder:photos                          5 seeds on all images
python benchmarks/finetune.py folder:photos --images 200 1000        parts of it, drawn by each seed for itself
python benchmarks/finetune.py cifar100 --images 1000 --fields data.size=96 model.pretrained=weights.pth

Each seed draws the parts, the order and the augmentation anew. Both accuracies are on the test split; the linear probe
is logistic regression on the pretrained features of the same images, with its penalty chosen by cross-validation. Rows
are appended to a file as they come, and those that it holds are not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import assay
from assay.base.json_files import LineLog
from assay.base.statistics import estimate
from assay.classifier.evaluation import evaluate_batches
from assay.recipe.fields import parse_field
from assay.recipe.named import find_recipe
from assay.run.build import build
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
    parser.add_argument("--images", type=int, nargs="*", default=[], help="sizes of the parts to train on")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--fields", nargs="*", default=[], metavar="FIELD=VALUE", help="of the recipe, to change")
    parser.add_argument("--out", type=Path, default=Path("finetune.jsonl"))
    return parser.parse_args()


def jobs(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    fields = {name: parse_field(name, value) for name, value in (field.split("=", 1) for field in options.fields)}
    for images in options.images or [None]:
        for seed in range(options.seeds):
            yield {"data": options.data, "images": images, "seed": seed, "fields": fields}


def key_of(row: Mapping[str, Any]) -> str:
    return json.dumps([row[name] for name in ("data", "images", "seed", "fields")], sort_keys=True)


def measure(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train once, and say what the network was worth on the test split before its first step and after its last."""
    seed = job["seed"]
    changes = {
        "data.name": job["data"],
        "data.train_images": job["images"],
        "data.split_seed": seed,
        "train.seed": seed,
        "train.tensorboard": False,
        **job["fields"],
    }
    components = build(suited(*find_recipe(RECIPE), changes).recipe, torch.device("cpu"))
    probe = evaluate_batches(components.network, components.splits["test"], components.data.classes)
    with TemporaryDirectory() as folder:
        summary = assay.train(RECIPE, changes, out=Path(folder) / "run", progress=False).summary
    return {
        "probe": 100 * probe.accuracy,
        "tuned": 100 * summary["test"]["accuracy"],
        "epoch": summary["epoch"],
        "epochs": summary["epochs"],
        "train_images": summary["train_images"],
        "seconds": round(summary["seconds"]),
    }


def report(rows: list[dict[str, Any]]) -> None:
    for images in dict.fromkeys(row["images"] for row in rows):
        part = [row for row in rows if row["images"] == images]
        gains = [row["tuned"] - row["probe"] for row in part]
        probe, tuned = (statistics.fmean(row[name] for row in part) for name in ("probe", "tuned"))
        gain = estimate(gains)
        spread = f" [{gain.low:+.2f}, {gain.high:+.2f}]" if len(gains) > 1 else ""
        print(
            f"{images or 'all'} images, {len(part)} seeds: probe {probe:.2f} %, fine-tuned {tuned:.2f} %, "
            f"gain {gain.mean:+.2f}{spread}, least {min(gains):+.2f}"
        )


if __name__ == "__main__":
    main()
