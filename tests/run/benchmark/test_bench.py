"""The benchmark, in the small: what is measured, and what follows from it by hand."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from assay.classifier.prediction import Predictions
from assay.cli import main
from assay.commands.bench import print_bench
from assay.recipe.named import RECIPES, NamedRecipe
from assay.recipe.recipe import Recipe
from assay.run.benchmark import bench as module
from assay.run.benchmark import gauge as gauging
from assay.run.benchmark import labelling as photos
from assay.run.benchmark import limits, plain
from assay.run.benchmark.augmentations import ALIKE, AugmentationSpeed, measure_augmentation
from assay.run.benchmark.bench import NETWORKS, Bench, Effort
from assay.run.benchmark.gauge import Cost, Gauge, in_own_process
from assay.run.benchmark.labelling import LabellingCosts, write_photos
from assay.run.benchmark.limits import Limits, best_seconds
from assay.run.benchmark.steps import StepCosts, measure_steps
from assay.training.arithmetic import Arithmetic

CPU = torch.device("cpu")
SMALL = Effort(4, 0.0, 0.0, ("flip, crop",), 8, 2)
NARROW = {"name": "resnet18", "width": 0.125}


def here(function: Callable[..., Any], *arguments: Any) -> Any:
    """In the place of a process of its own."""
    return function(*arguments)


PARTS = {"batch": 0.03, "forward": 0.1, "backward": 0.2, "update": 0.0004}
HERE = Gauge(CPU, 1, here)
fork = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of the loaders that are measured against


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small convolutions, matrices and networks; a step or two of each."""
    monkeypatch.setattr(limits, "SHAPES", ((8, 8), (16, 4)))
    monkeypatch.setattr(limits, "_PRODUCT", 16)
    monkeypatch.setattr(limits, "_COPY", 256)
    monkeypatch.setattr(limits, "measure", lambda *_: Arithmetic({"fp32": 1.0, "bf16": 2.0, "fp16": 80.0}))
    narrow = {name: NamedRecipe(narrowed(RECIPES[name].recipe), "") for name in NETWORKS}
    monkeypatch.setattr(module, "RECIPES", narrow)
    for name in ("FULL", "QUICK"):
        monkeypatch.setattr(module, name, SMALL)
    monkeypatch.setattr(module, "PHOTO_NETWORK", NARROW)
    monkeypatch.setattr(gauging, "in_own_process", here)


def narrowed(recipe: Recipe) -> Recipe:
    return recipe if recipe.model.name == "simple-cnn" else recipe.but({"model.width": 0.125})


def test_the_shortest_time_counts_and_the_first_is_left_out() -> None:
    now, durations = [0.0], iter([0.1, 5.0, 3.0, 4.0, 9.0])

    def do() -> None:
        now[0] += next(durations)

    assert best_seconds(do, 10.0, clock=lambda: now[0]) == 3.0
    assert now[0] == pytest.approx(12.1)  # patience is over after the fourth
    assert best_seconds(lambda: None, 0.0) >= 0


def test_shares_and_ratios_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    ours = {"fp32": Cost(0.5, 10**6), "bf16": Cost(0.25, 2 * 10**6)}
    steps = StepCosts(
        "fast-94", batch=100, operations=3e9, ours=ours, plain=Cost(2.0, None), held=Cost(1.0, 3), parts=PARTS
    )
    limits = Limits({"fp32": 24.0, "bf16": 48.0}, {"fp32": 1.0, "bf16": 1.0}, 1.0, {})
    machine = {"accelerator": None, "processor": "a processor", "threads": 1, "torch": "2"}
    labelling = LabellingCosts(100, Cost(10.0, 10**8), Cost(20.0, 1), None)
    found = Bench(machine, limits, (steps,), (AugmentationSpeed("flip", 100.0, 8.0),), labelling)
    assert steps.rate(0.5) == 6.0
    (row,) = found.to_dict()["steps"]
    assert row["share_of_limit"] == {"fp32": 0.25, "bf16": 0.25}
    assert row["times_plain"] == {"fp32": 4.0, "bf16": 8.0}
    print_bench(found)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["fast-94", "assay,", "bf16", "250", "400", "25%", "2"] in rows
    assert ["fast-94", "plain", "2,000", "50", "6%", "unknown"] in rows
    assert ["fast-94", "30.00", "100.00", "200.00", "0.40"] in rows
    assert ["flip", "8", "100", "12.5"] in rows
    assert ["assay", "10.0", "2.00", "100"] in rows
    assert ["plain", "loop,", "ONNX", "Runtime", "not", "installed"] in rows


@pytest.mark.slow
@fork
def test_operations_of_a_step_are_three_forward_passes() -> None:
    """LeNet's by hand: two operations for each multiply-add."""
    convolutions = 28**2 * 6 * 75 + 10**2 * 16 * 150
    linears = 400 * 120 + 120 * 84 + 84 * 10
    steps = measure_steps("simple-cnn", RECIPES["simple-cnn"].recipe, ["fp32"], HERE, 4, 0.0)
    assert steps.operations == 3 * 4 * 2 * (convolutions + linears)
    for cost in (steps.ours["fp32"], steps.plain, steps.held):
        assert cost.seconds > 0
        assert cost.peak is not None
    assert list(steps.parts) == list(PARTS)
    assert steps.parts["forward"] > 0


def test_memory_is_counted_from_the_beginning_of_the_work() -> None:
    size = 2**27
    first, again = HERE.ours(partial(_hold, size)), HERE.ours(partial(_hold, size))
    assert first.seconds == again.seconds == 1.0
    assert first.peak is not None
    assert 0 <= first.peak < 2 * size
    assert again.peak == 0  # the same memory, which this process has held before


def _hold(size: int) -> float:
    torch.ones(size, dtype=torch.uint8)
    return 1.0


@pytest.mark.slow
def test_each_measurement_has_a_process_of_its_own() -> None:
    processes = {in_own_process(os.getpid) for _ in range(2)}
    assert len(processes | {os.getpid()}) == 3
    assert in_own_process(multiprocessing.get_start_method) == multiprocessing.get_start_method()  # of its workers
    with pytest.raises(ValueError, match="bench: the process of a measurement was killed"):
        in_own_process(os._exit, 9)
    with pytest.raises(ZeroDivisionError):
        in_own_process(divmod, 1, 0)


@pytest.mark.slow
@fork
@pytest.mark.parametrize("name", ALIKE)
def test_every_augmentation_is_measured_both_ways(name: str) -> None:
    speed = measure_augmentation(name, HERE, 8, 0.0)
    assert speed.name == name
    assert speed.ours > 0
    assert speed.torchvision > 0


def test_all_ways_of_labelling_give_the_same_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photos(tmp_path, 3)
    found: list[list[int]] = []
    monkeypatch.setattr(plain, "WORKERS", 0)
    monkeypatch.setattr(photos, "_seconds", lambda do: found.append(numbers(do())) or 1.0)
    photos._our_seconds(NARROW, tmp_path, CPU)
    photos._plain_seconds(NARROW, tmp_path, CPU)
    if all(map(find_spec, photos.ONNX_PACKAGES)):
        photos._onnx_seconds(NARROW, tmp_path, HERE)
    assert len(found[0]) == 3
    assert all(labels == found[0] for labels in found)


def numbers(labels: list[int] | Predictions) -> list[int]:
    return [int(row.label) for row in labels] if isinstance(labels, Predictions) else labels


@pytest.mark.slow
@fork
@pytest.mark.usefixtures("small")
def test_the_command_measures_all_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "bench.json", tmp_path / "bench.svg"
    assert main(["bench", "--quick", "--threads", "1", "--out", str(out), "--plot", str(plot)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*NETWORKS, "GB/s", "fp16: takes 80 times", "flip, crop", "ONNX Runtime"))
    written = json.loads(out.read_text())
    assert [row["recipe"] for row in written["steps"]] == list(NETWORKS)
    assert written["limits"]["convolution"].keys() == written["limits"]["product"].keys() == {"fp32", "bf16"}
    assert written["machine"]["threads"] == 1
    assert written["labelling"]["images"] == SMALL.photos
    assert "plain loop, images in memory" in plot.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "bench.csv"], "--out: bench.csv is not a .json file"),
        (["--plot", "bench.pdf"], "bench.pdf: not a .png or .svg file"),
        (["--threads", "0"], "--threads: 0 is not at least 1"),
        (["--device", "cuda:99"], "train.device: no 'cuda:99' on this machine"),
    ],
)
def test_mistakes_are_refused_before_anything_is_measured(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"assay: {message}")
