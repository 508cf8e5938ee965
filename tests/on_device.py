"""What has to hold on every device; tests/test_on_device.py and benchmarks/gpu.py call it.

Each check takes the device and an empty folder. It raises ``AssertionError``, or returns the figures behind it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.classifier.classifier import MODEL_FILE
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.run.benchmark.gauge import Gauge, in_own_process
from assay.run.benchmark.steps import measure_steps, noise, our_steps
from assay.run.build import build
from assay.run.components import Components
from assay.run.observer import Observer
from assay.run.run import run
from assay.training.loop import Step, train_epoch

Check = Callable[[torch.device, Path], dict[str, Any]]

DIGITS = Recipe().but(
    {
        "data.size": 16,
        "augment.crop": 1,
        "augment.flip": 0.5,
        "model.name": "resnet18",
        "model.width": 0.125,
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "optim.momentum": 0.9,
        "data.train_images": 200,
        "train.epochs": 2,
        "train.batch_size": 40,
        "train.tensorboard": False,
        "train.checkpoint_minutes": 0.0,
    }
)
SMALL = {"model.width": 0.25, "train.batch_size": 16, "train.small_size": None, "data.held_out": 0.0}
FAST = RECIPES["fast-94"].recipe.but(SMALL)


class _StoppedError(Exception):
    """The run has been stopped on its way."""


class _StopAfter(Observer):
    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, step: Step) -> None:  # noqa: ARG002 - the interface
        self.left -= 1
        if self.left < 0:
            raise _StoppedError


def bits_repeat(device: torch.device, folder: Path) -> dict[str, Any]:
    """Equal runs give equal bytes."""
    models = [_trained(device, folder / name) for name in ("one", "two")]
    assert models[0] == models[1], "two equal runs gave different weights"
    return {"bytes": len(models[0])}


def resume_is_exact(device: torch.device, folder: Path) -> dict[str, Any]:
    """A run that is stopped in its second epoch, and resumed, gives the bytes of an undisturbed one."""
    with suppress(_StoppedError):
        run(_on(device, DIGITS), folder / "stopped", observers=[_StopAfter(7)])
    assert not (folder / "stopped" / "summary.json").exists(), "the run was not stopped"
    run(_on(device, DIGITS), folder / "stopped", resume=True)
    resumed = (folder / "stopped" / MODEL_FILE).read_bytes()
    assert resumed == _trained(device, folder / "whole"), "the resumed run gave different weights"
    return {"bytes": len(resumed)}


def layout_is_channels_last(device: torch.device, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Batches and filters are channels_last on the device, after a step too."""
    components = _components(FAST, device)
    images, _ = next(iter(components.batches.epoch(0)))
    next(_steps(components))
    tensors = [images, *(weight for weight in components.network.parameters() if weight.ndim == 4)]
    assert len(tensors) == 8, "an image batch, and the filters of seven convolutions"
    for tensor in tensors:
        assert tensor.device.type == device.type
        assert tensor.is_contiguous(memory_format=torch.channels_last), f"{tuple(tensor.shape)} is not channels_last"
    return {"tensors": len(tensors)}


def autocast_computes_in(kind: str, device: torch.device, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Convolutions compute in the recipe's precision, weights stay float32, and only fp16 scales its loss."""
    components = _components(FAST.but({"train.precision": kind}), device)
    seen: list[torch.dtype] = []
    for layer in components.network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output.dtype))
    loss = next(_steps(components)).loss.item()
    wanted = {"bf16": torch.bfloat16, "fp16": torch.float16}[kind]
    assert set(seen) == {wanted}, f"convolutions gave {set(seen)}"
    assert {weight.dtype for weight in components.network.parameters()} == {torch.float32}
    assert components.update.precision.scaler.is_enabled() == (kind == "fp16")
    assert loss < 1e3, f"loss {loss}"  # nor is it NaN
    return {"loss": loss}


def no_step_waits(name: str, device: torch.device, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """No step but an epoch's first makes the processor wait for the GPU; torch raises where one does."""
    width = None if name.startswith("simple-cnn") else SMALL["model.width"]
    recipe = RECIPES[name].recipe.but({**SMALL, "model.width": width, "train.select": "last"})
    steps = our_steps(recipe, noise(8 * recipe.train.batch_size, device), device)
    for _ in range(2):
        next(steps)
    with _waiting_is_an_error(device):
        losses = [next(steps) for _ in range(5)]
    return {"loss": losses[-1].item()}


def memory_is_near_the_plain_loops(device: torch.device, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Steps of ResNet-18 take at most 1.2 times the plain loop's memory."""
    gauge = Gauge(device, torch.get_num_threads(), in_own_process)
    costs = measure_steps("resnet18-cifar", RECIPES["resnet18-cifar"].recipe, ["fp32"], gauge, 128, 1.0)
    ours, plain = costs.ours["fp32"].peak, costs.held.peak
    assert ours is not None
    assert plain is not None
    assert ours <= 1.2 * plain, f"{ours / 1e6:,.0f} MB, and {plain / 1e6:,.0f} MB in the plain loop"
    return {"ours": ours, "plain": plain}


CHECKS: dict[str, Check] = {
    "bits repeat": bits_repeat,
    "resume is exact": resume_is_exact,
    "layout is channels_last": layout_is_channels_last,
    "autocast computes in bf16": partial(autocast_computes_in, "bf16"),
}
"""on any device"""
CUDA_CHECKS: dict[str, Check] = {
    **CHECKS,
    "autocast computes in fp16": partial(autocast_computes_in, "fp16"),
    **{f"no step waits: {name}": partial(no_step_waits, name) for name in ("simple-cnn-augment", "fast-94")},
    "memory is near the plain loop's": memory_is_near_the_plain_loops,
}


def _on(device: torch.device, recipe: Recipe) -> Recipe:
    return recipe.but({"train.device": str(device)})


def _trained(device: torch.device, folder: Path) -> bytes:
    run(_on(device, DIGITS), folder)
    return (folder / MODEL_FILE).read_bytes()


def _components(recipe: Recipe, device: torch.device) -> Components:
    data = noise(2 * recipe.train.batch_size, device)
    return build(recipe.but({"train.select": "last"}), device, open_images=lambda *_: data)


def _steps(components: Components) -> Iterator[Step]:
    components.freeze(0)
    endless = itertools.chain.from_iterable(map(components.batches.epoch, itertools.count()))
    return train_epoch(components.network, endless, components.update, components.loss_fn)


@contextmanager
def _waiting_is_an_error(device: torch.device) -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode() if device.type == "cuda" else None
    if before is not None:
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if before is not None:
            torch.cuda.set_sync_debug_mode(before)
