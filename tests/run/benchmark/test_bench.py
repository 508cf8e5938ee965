"""The benchmark, in the small: what is measured, and what follows from it by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from assay.cli import main
from assay.recipe.named import RECIPES, NamedRecipe
from assay.recipe.recipe import Recipe
from assay.run.benchmark import bench as module
from assay.run.benchmark import limits
from assay.run.benchmark.bench import NETWORKS, Bench, Effort, bench
from assay.run.benchmark.limits import Limits, best_seconds
from assay.run.benchmark.steps import StepTimes, time_steps
from assay.training.arithmetic import Arithmetic

CPU = torch.device("cpu")


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
        monkeypatch.setattr(module, name, Effort(4, 0.0, 0.0))


def narrowed(recipe: Recipe) -> Recipe:
    return recipe if recipe.model.name == "simple-cnn" else recipe.but({"model.width": 0.125})


def test_the_shortest_time_counts_and_the_first_is_left_out() -> None:
    now, durations = [0.0], iter([0.1, 5.0, 3.0, 4.0, 9.0])

    def do() -> None:
        now[0] += next(durations)

    assert best_seconds(do, 10.0, clock=lambda: now[0]) == 3.0
    assert now[0] == pytest.approx(12.1)  # patience is over after the fourth
    assert best_seconds(lambda: None, 0.0) >= 0


def test_shares_and_ratios_by_hand() -> None:
    steps = StepTimes("fast-94", batch=100, operations=3e9, seconds=0.5, plain=2.0)
    found = Bench({}, Limits({"fp32": 24.0, "bf16": 99.0}, {"fp32": 1.0}, 1.0, {}), (steps,))
    assert steps.rate == 6.0
    assert found.share(steps) == 0.25
    (row,) = found.to_dict()["steps"]
    assert (row["images_per_second"], row["share_of_limit"], row["ratio_to_plain"]) == (200.0, 0.25, 4.0)


def test_operations_of_a_step_are_three_forward_passes() -> None:
    """LeNet's by hand: two operations for each multiply-add."""
    convolutions = 28**2 * 6 * 75 + 10**2 * 16 * 150
    linears = 400 * 120 + 120 * 84 + 84 * 10
    steps = time_steps("simple-cnn", RECIPES["simple-cnn"].recipe, CPU, 4, 0.0)
    assert steps.operations == 3 * 4 * 2 * (convolutions + linears)
    assert steps.seconds > 0
    assert steps.plain > 0


@pytest.mark.usefixtures("small")
def test_every_network_and_type_is_measured() -> None:
    lines: list[str] = []
    found = bench("cpu", 1, Effort(4, 0.0, 0.0), lines.append)
    assert [steps.recipe for steps in found.steps] == list(NETWORKS)
    assert len(lines) == 1 + len(NETWORKS)
    assert found.limits.convolution.keys() == found.limits.product.keys() == {"fp32", "bf16"}
    assert found.limits.faults == {"fp16": "takes 80 times as long as fp32"}
    assert found.limits.copy > 0
    assert found.machine["threads"] == 1


@pytest.mark.usefixtures("small")
def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "bench.json", tmp_path / "bench.svg"
    assert main(["bench", "--quick", "--threads", "1", "--out", str(out), "--plot", str(plot)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*NETWORKS, "GB/s", "fp16: takes 80 times"))
    assert [row["recipe"] for row in json.loads(out.read_text())["steps"]] == list(NETWORKS)
    assert "fast-94" in plot.read_text()


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
