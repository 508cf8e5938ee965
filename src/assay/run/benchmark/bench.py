"""The benchmark of a machine in one run: its limits, the steps of four networks, augmentation, labelling of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from assay.base.device import pick_device, reproducible
from assay.base.json_files import JsonObject
from assay.recipe.named import RECIPES
from assay.run.benchmark.augmentations import ALIKE, AugmentationSpeed, measure_augmentation
from assay.run.benchmark.gauge import Apart, Gauge
from assay.run.benchmark.labelling import LabellingCosts, measure_labelling
from assay.run.benchmark.limits import Limits, measure_limits
from assay.run.benchmark.steps import StepCosts, measure_steps
from assay.run.environment import environment

NETWORKS = ("simple-cnn-augment", "resnet18-cifar", "vgg16-cifar100", "fast-94")
PHOTO_NETWORK: dict[str, str | float] = {"name": "resnet18"}
_TYPES = ("bf16", "fp16")


@dataclass(frozen=True)
class Effort:
    """How long a benchmark takes.

    Attributes:
        batch: images of a step.
        limit_seconds: for each limit.
        step_seconds: for the steps of each loop.
        augmentations: in `ALIKE`, which are measured.
        augmented: images in memory for those.
        photos: JPEG files that are labelled.
    """

    batch: int
    limit_seconds: float
    step_seconds: float
    augmentations: tuple[str, ...]
    augmented: int
    photos: int


FULL = Effort(128, 1.0, 20.0, tuple(ALIKE), 5_000, 2_000)
QUICK = Effort(16, 0.1, 1.0, ("flip, crop",), 5_000, 64)


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        machine: versions, hardware and threads.
        limits: of the device.
        steps: of the networks.
        augmentations: in images per second.
        labelling: of JPEG files.
    """

    machine: JsonObject
    limits: Limits
    steps: tuple[StepCosts, ...]
    augmentations: tuple[AugmentationSpeed, ...]
    labelling: LabellingCosts

    def share(self, steps: StepCosts, seconds: float, kind: str = "fp32") -> float:
        """The share of the speed of the type's best convolution that steps of so many seconds reach, in [0, 1]."""
        return steps.rate(seconds) / self.limits.convolution[kind]

    def to_dict(self) -> JsonObject:
        """Plain values for a JSON file."""
        return {
            "machine": self.machine,
            "limits": asdict(self.limits),
            "steps": [{**asdict(steps), **self._compared(steps)} for steps in self.steps],
            "augmentations": [asdict(speed) for speed in self.augmentations],
            "labelling": asdict(self.labelling),
        }

    def _compared(self, steps: StepCosts) -> JsonObject:
        """By type: the share of the limit, and how many times as fast as the plain loop."""
        seconds = {kind: cost.seconds for kind, cost in steps.ours.items()}
        return {
            "share_of_limit": {kind: self.share(steps, each, kind) for kind, each in seconds.items()},
            "times_plain": {kind: steps.plain.seconds / each for kind, each in seconds.items()},
        }


def bench(device: str, threads: int | None, effort: Effort, say: Callable[[str], None], apart: Apart) -> Bench:
    """Measure this machine, on which nothing else should run meanwhile.

    Args:
        device: as ``train.device``.
        threads: of one operation on the CPU; None is torch's choice.
        effort: how long it takes: `FULL` or `QUICK`.
        say: receives a line before each part.
        apart: calls what is measured, as ``in_own_process`` does.

    Raises:
        ValueError: there is no such device, or a measurement's process was killed.
    """
    gauge = Gauge(pick_device(device), threads or torch.get_num_threads(), apart)
    say("limits: convolutions, matrix products, copies")
    with reproducible(0, gauge.device, gauge.threads):
        machine = environment(str(gauge.device))
        limits = measure_limits(gauge.device, _TYPES, effort.batch, effort.limit_seconds)
    types = ["fp32", *_faster(limits)]
    steps, speeds = [], []
    for name in NETWORKS:
        say(f"{name}: steps of {effort.batch} images")
        steps.append(measure_steps(name, RECIPES[name].recipe, types, gauge, effort.batch, effort.step_seconds))
    for name in effort.augmentations:
        say(f"augmentation: {name}")
        speeds.append(measure_augmentation(name, gauge, effort.augmented, effort.limit_seconds))
    say(f"labelling of {effort.photos:,} JPEG files")
    labelling = measure_labelling(gauge, effort.photos, PHOTO_NETWORK)
    return Bench(machine, limits, tuple(steps), tuple(speeds), labelling)


def _faster(limits: Limits) -> list[str]:
    """The types whose best convolution is faster than that of float32."""
    return [kind for kind, rate in limits.convolution.items() if rate > limits.convolution["fp32"]]
