"""Files of weights: the checkpoints that training scripts write are read, and none of them executes anything."""

from __future__ import annotations

import argparse
import os
import pickle
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.testing import assert_close

from assay.models.weight_files import read_weights


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))


def begun(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


CHECKPOINTS: dict[str, Callable[[nn.Sequential], Any]] = {
    "torchvision's scripts": lambda m: {
        "model": m.state_dict(),
        "optimizer": {"state": {0: {"step": torch.ones(()), "exp_avg": torch.ones(2)}}},
        "args": argparse.Namespace(lr=0.1, out=Path("runs"), device=torch.device("cpu")),
        "epoch": 3,
    },
    "kuangliu's": lambda m: {"net": m.state_dict(), "acc": 93.1, "epoch": 3},
    "data parallel": lambda m: {"net": begun("module.", m.state_dict())},
    "compiled and parallel": lambda m: begun("_orig_mod.module.", m.state_dict()),
    "any other key": lambda m: {"a": {"b": {"weights of mine": begun("backbone.encoder.", m.state_dict())}}},
    "numpy": lambda m: {"state_dict": m.state_dict(), "best": np.float64(0.9), "curve": np.arange(3.0)},
    "defaultdict": lambda m: {"log": defaultdict(list, {"loss": [1.0]}), "model": m.state_dict()},
    "numbers beside the tensors": lambda m: {**m.state_dict(), "epoch": 3},
    "a list": lambda m: [3, ({"lr": 0.1}, m.state_dict())],
    "parts under their own names": lambda m: {
        "features": {k: v for k, v in m.state_dict().items() if k[0] != "2"},
        "head": {k: v for k, v in m.state_dict().items() if k[0] == "2"},
        "optimizer": {"state": {0: {"step": torch.ones(())}}},
    },
    "parts by module": lambda m: {"epoch": 3, "net": {key: m[int(key)].state_dict() for key in "012"}},
    "an older version": lambda m: {k: v for k, v in m.state_dict().items() if "num_batches" not in k},
}


@pytest.mark.parametrize("form", CHECKPOINTS)
@pytest.mark.parametrize("zipped", [True, False])
def test_an_ordinary_checkpoint_is_read(form: str, zipped: bool, tmp_path: Path) -> None:
    model, path = network(), tmp_path / "weights.pth"
    torch.save(CHECKPOINTS[form](model), path, _use_new_zipfile_serialization=zipped)
    state, remarks = read_weights(path, model.state_dict())
    expected = model.state_dict()
    assert {name for name in expected if "num_batches" not in name} <= state.keys() <= expected.keys()
    assert_close(state, {name: expected[name] for name in state}, rtol=0, atol=0)
    assert remarks == []


def test_what_a_wrapper_adds_is_left_out_with_a_remark(tmp_path: Path) -> None:
    model, path = network(), tmp_path / "weights.ckpt"
    lightning = {**begun("model.", model.state_dict()), "criterion.weight": torch.ones(2)}
    averaged = AveragedModel(model).state_dict()
    counted = {**model.state_dict(), "steps": torch.tensor(5)}
    for values, name in ((lightning, "criterion.weight"), (averaged, "n_averaged"), (counted, "steps")):
        torch.save({"state_dict": values, "loops": {"epoch": 1}}, path)
        state, remarks = read_weights(path, model.state_dict())
        assert_close(state, model.state_dict(), rtol=0, atol=0)
        assert remarks == [f"left out of {path}, for they are no tensors of the network: {name}"]


def test_of_several_state_dicts_the_one_that_fits_is_taken(tmp_path: Path) -> None:
    model, other, path = network(), network(1), tmp_path / "weights.pth"
    torch.save({"teacher": nn.Linear(9, 9).state_dict(), "student": model.state_dict()}, path)
    assert_close(read_weights(path, model.state_dict())[0], model.state_dict(), rtol=0, atol=0)
    torch.save({"ema": other.state_dict(), "model": model.state_dict()}, path)
    state, remarks = read_weights(path, model.state_dict())
    assert_close(state, model.state_dict(), rtol=0, atol=0)
    assert remarks == [f"{path} holds more weights that fit, under ema; taken: model"]


def test_names_of_another_library_stay_as_they_are(tmp_path: Path) -> None:
    theirs, path = begun("theirs.", network().state_dict()), tmp_path / "weights.pth"
    torch.save({"net": theirs, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}, path)
    assert read_weights(path, ["conv.weight", "norm.weight"])[0].keys() == theirs.keys()


def test_a_mapping_within_itself_has_an_end(tmp_path: Path) -> None:
    values: dict[str, Any] = {"net": network().state_dict()}
    values["itself"] = values
    torch.save(values, tmp_path / "weights.pth")
    assert read_weights(tmp_path / "weights.pth")[0].keys() == network().state_dict().keys()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_type_that_could_execute_code_is_refused_by_its_name(zipped: bool, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (os.system, (f"touch {tmp_path / 'exploded'}",))

    path = tmp_path / "weights.pth"
    for bad, name in ((Bomb(), f"{os.system.__module__}.system"), (nn.Linear(1, 1), "torch.nn.modules.linear.Linear")):
        torch.save({"model": network().state_dict(), "more": bad}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ValueError, match=rf"^model\.pretrained: .* a value of the type {name}, which") as refusal:
            read_weights(path)
        assert "\n" not in str(refusal.value)
        assert "cut off" not in str(refusal.value)
    assert not (tmp_path / "exploded").exists()


def test_harmless_types_stay_refused_elsewhere(tmp_path: Path) -> None:
    torch.save({"model": network().state_dict(), "args": argparse.Namespace(a=1)}, tmp_path / "weights.pth")
    read_weights(tmp_path / "weights.pth")
    with pytest.raises(pickle.UnpicklingError, match="argparse"):
        torch.load(tmp_path / "weights.pth", weights_only=True)


@pytest.mark.parametrize("kind", ["safetensors", "pt", "legacy", "checkpoint", "parallel"])
def test_read_weights(kind: str, tmp_path: Path) -> None:
    state = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pth")
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "legacy":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        wrapped = {f"module.{name}": tensor for name, tensor in state.items()} if kind == "parallel" else state
        torch.save({"epoch": 3, "state_dict": wrapped} if kind != "pt" else state, path)
    assert_close(read_weights(path, state)[0], state, rtol=0, atol=0)


def test_read_weights_never_executes_a_pickle(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "exploded",))

    for write in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))):
        for name in ("weights.pth", "weights.safetensors"):
            write({"a": Bomb()}, tmp_path / name)
            with pytest.raises(
                ValueError, match=r"is not a file of weights, or cut off|of the type .*getattr"
            ) as refusal:
                read_weights(tmp_path / name)
            assert "\n" not in str(refusal.value)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("value", [[1], {}, {"a": 1}, {"state_dict": {}}, torch.zeros(2)])
def test_read_weights_wants_a_state_dict(value: object, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="holds no state dict"):
        read_weights(tmp_path / "weights.pth")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_read_weights_refuses_a_file_that_was_cut(name: str, keep: float, tmp_path: Path) -> None:
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)({"a": torch.zeros(99)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    with pytest.raises(ValueError, match="is not a file of weights, or cut off"):
        read_weights(path)[0]
