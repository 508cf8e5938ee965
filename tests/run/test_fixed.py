"""What a recipe fixes from the start stays, through training and resumption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from assay.api import train
from assay.base.device import reproducible
from assay.recipe.recipe import Recipe
from assay.run.build import build, check_recipe
from assay.run.run import run

FIXED = {"transfer.whiten": True, "transfer.freeze_scales": True}
SMALL = {
    "data.train_images": 64,
    "data.size": 32,
    "model.name": "resnet18",
    "model.width": 0.125,
    "model.stem_pool": False,
    "train.batch_size": 32,
    "train.epochs": 1,
    "train.threads": 1,
    "train.tensorboard": False,
}


def recipe(**changes: Any) -> Recipe:
    return Recipe().but({**SMALL, **FIXED, **changes})


def test_what_is_fixed_stays_and_the_rest_learns(tmp_path: Path) -> None:
    with reproducible(0, torch.device("cpu"), 1):
        start = {
            name: weight.clone() for name, weight in build(recipe(), torch.device("cpu")).network.state_dict().items()
        }
    record = train(recipe(), out=tmp_path / "run", progress=False)
    for name, weight in load_file(record.folder / "model.safetensors").items():
        is_scale = weight.ndim == 1 and name.endswith(".weight")
        if name == "conv1.weight" or is_scale:
            assert torch.equal(weight, start[name]), name
        elif name.endswith((".weight", ".bias")):
            assert not torch.equal(weight, start[name]), name
    filters = start["conv1.weight"]
    assert torch.equal(filters[4:], -filters[:4])
    scales = sum(weight.numel() for name, weight in start.items() if weight.ndim == 1 and name.endswith(".weight"))
    free = train(recipe(**dict.fromkeys(FIXED, False)), out=tmp_path / "free", progress=False).summary["parameters"]
    assert record.summary["parameters"] == free - scales - filters.numel()


def test_a_resumed_run_keeps_what_is_fixed(tmp_path: Path) -> None:
    once = run(recipe(**{"train.epochs": 2}), tmp_path / "once")
    run(recipe(**{"train.epochs": 2, "train.stop_after": 1}), tmp_path / "twice")
    twice = run(recipe(**{"train.epochs": 2}), tmp_path / "twice", resume=True)
    files = [record.folder / "model.safetensors" for record in (once, twice)]
    first, second = (load_file(file) for file in files)
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.width": 1.0, "model.stem_kernel": 3}, "the first convolution has 64 filters"),
        ({"model.name": "simple-cnn", "model.width": None, "model.stem_pool": None}, "has no norm with a scale"),
    ],
)
def test_a_network_without_the_like_is_refused_before_it_is_built(changes: dict[str, Any], message: str) -> None:
    wanted = recipe(**changes)
    data = build(recipe(), torch.device("cpu")).data
    with pytest.raises(ValueError, match=message):
        check_recipe(wanted, data)


def test_pretrained_filters_are_not_replaced(tmp_path: Path) -> None:
    record = train(recipe(**dict.fromkeys(FIXED, False)), out=tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match=r"^transfer\.whiten would replace the first layer of model\.pretrained"):
        build(recipe(**{"model.pretrained": str(record.folder)}), torch.device("cpu"))
