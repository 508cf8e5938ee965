"""The benchmark of a machine in one run: its limits, and the steps of four networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from assay.base.device import pick_device, reproducible
from assay.base.json_files import JsonObject
from assay.recipe.named import RECIPES
from assay.run.benchmark.limits import Limits, measure_limits
from assay.run.benchmark.steps import StepTimes, time_steps
from assay.run.environment import environment

NETWORKS = ("simple-cnn-augment", "resnet18-cifar", "vgg16-cifar100", "fast-94")
_TYPES = ("bf16", "fp16")


@dataclass(frozen=True)
class Effort:
    """How long a benchmark takes: images of a batch, and seconds for each limit and each kind of step."""

    batch: int
    limit_seconds: float
    step_seconds: float


FULL, QUICK = Effort(128, 1.0, 20.0), Effort(16, 0.1, 1.0)


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        machine: versions, hardware and threads.
        limits: of the device.
        steps: of the networks.
    """

    machine: JsonObject
    limits: Limits
    steps: tuple[StepTimes, ...]

    def share(self, steps: StepTimes) -> float:
        """The share of the best float32 convolution's speed that a network's steps reach, in [0, 1] but for noise."""
        return steps.rate / self.limits.convolution["fp32"]

    def to_dict(self) -> JsonObject:
        """Plain values for a JSON file."""
        rows = [
            {
                **asdict(steps),
                "images_per_second": steps.batch / steps.seconds,
                "share_of_limit": self.share(steps),
                "ratio_to_plain": steps.plain / steps.seconds,
            }
            for steps in self.steps
        ]
        return {"machine": self.machine, "limits": asdict(self.limits), "steps": rows}


def bench(device: str, threads: int | None, effort: Effort, say: Callable[[str], None]) -> Bench:
    """Measure this machine, on which nothing else should run meanwhile.

    Args:
        device: as ``train.device``.
        threads: of one operation on the CPU; None is torch's choice.
        effort: how long it takes: `FULL` or `QUICK`.
        say: receives a line before each part.

    Raises:
        ValueError: there is no such device.
    """
    where = pick_device(device)
    with reproducible(0, where, threads or torch.get_num_threads()):
        say("limits: convolutions, matrix products, copies")
        limits = measure_limits(where, _TYPES, effort.batch, effort.limit_seconds)
        steps = []
        for name in NETWORKS:
            say(f"{name}: steps of {effort.batch} images")
            steps.append(time_steps(name, RECIPES[name].recipe, where, effort.batch, effort.step_seconds))
        return Bench(environment(str(where)), limits, tuple(steps))
