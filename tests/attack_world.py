"""The undamaged files that an attack begins with: a small run, a study, weights, and images of every kind."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image

import assay
from assay.recipe.recipe import Recipe
from assay.studies.execution.ended import read_ended
from assay.studies.execution.store import Store
from assay.studies.folder import write_plan
from assay.studies.named import find_study
from assay.studies.plan import plan_study
from assay.studies.runs_file import RUNS_FILE, as_lines

FEW = {
    "data.size": 16,
    "data.train_images": 40,
    "data.test": 0.0,
    "data.held_out": 0.2,
    "train.epochs": 1,
    "train.threads": 1,
    "train.batch_size": 20,
    "train.tensorboard": False,
}
STUDIES = {
    "study.yaml": {
        "purpose": "Which rate?",
        "source": "a report",
        "base": "digits",
        "changes": {"train.epochs": 1},
        "rows": {"plain": {}, "slow": {"optim.lr": 0.01}, "slower": {"optim.lr": 0.001, "augment.crop": 2}},
        "control": "plain",
        "published": {"plain": 90.5, "slow": 91},
    },
    "grid.yaml": {
        "base": {"model": {"name": "simple-cnn"}, "data": {"size": 16}},
        "factors": {"optim.lr": [0.1, 0.01], "augment.crop": [0, 2], "train.batch_size": [50, 100]},
        "design": "grid",
    },
}


def build_world(folder: Path) -> Path:
    """Write the files into a folder that exists, and return it."""
    assay.train("digits", FEW, out=folder / "run", progress=False)
    few = Recipe.from_yaml((folder / "run" / "recipe.yaml").read_text())
    of_set = few.but({"data.name": "parquet:set.parquet", "data.train_images": None, "train.batch_size": 4})
    of_shards = of_set.but({"data.name": "webdataset:shards"})
    for name, recipe in (("few.yaml", few), ("set.yaml", of_set), ("shards.yaml", of_shards)):
        (folder / name).write_text(recipe.to_yaml())
    for name, study in STUDIES.items():
        (folder / name).write_text(yaml.safe_dump(study))
    _write_results(folder)
    network = assay.load(folder / "run").network
    torch.save({"model": network.state_dict(), "epoch": 3}, folder / "weights.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 12, 3), dtype=np.uint8)
    for kind in ("png", "jpg", "tif", "gif", "bmp", "webp"):
        Image.fromarray(pixels[0]).save(folder / f"photo.{kind}")
    images = [{"bytes": _png(one), "path": f"{place}.png"} for place, one in enumerate(pixels)]
    names = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    table = pa.table({"image": images, "label": [place % 2 for place in range(len(images))]})
    about = {"huggingface": json.dumps({"info": {"features": names}})}
    pq.write_table(table.replace_schema_metadata(about), folder / "set.parquet")
    assay.pack(folder / "set.parquet", folder / "shards")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for place in range(3):
            archive.writestr(f"photos/{place}.png", _png(pixels[place]))
    with tarfile.open(folder / "more.tar.gz", "w:gz") as archive:
        for kind in ("png", "bmp"):
            archive.add(folder / f"photo.{kind}", f"photos/photo.{kind}")
    return folder


def _write_results(folder: Path) -> None:
    """The study's plan and lines: every run of it ended as the one that there is."""
    plan = plan_study(find_study(folder / "study.yaml"), control_seeds=3)
    run = read_ended(folder / "run")
    assert run is not None
    lines = as_lines(plan, Store(folder / "none", dict.fromkeys((job.key for job in plan.order()), run)))
    write_plan(plan, folder / "planned", "study.yaml")
    (folder / "planned" / RUNS_FILE).write_text(lines)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()
