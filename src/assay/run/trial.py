"""What the parts of a run take: a short run on a sample of the images, in a folder that is thrown away."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from assay.base.device import pick_device, reproducible
from assay.classifier.evaluation import predict_scores
from assay.data.images import ChainedImages
from assay.data.load import Data
from assay.data.preprocess import Wanted
from assay.data.split import Cut, SomeImages, Source, Split, cut_splits
from assay.data.stratify import stratified_sample
from assay.data.views import VERSIONS
from assay.models.structure import final_layers
from assay.recipe.data_section import DataSection
from assay.recipe.recipe import Recipe
from assay.run.adapt import adapt
from assay.run.batches import cut_of, open_source
from assay.run.build import build
from assay.run.components import Components
from assay.run.observer import Batch, Observer
from assay.run.open_set import open_set
from assay.run.precision import settled
from assay.run.run import InterruptedRunError, run
from assay.run.time_budget import Costs, Counts, way
from assay.training.linear_probe import fit_linear_probe

TRIAL_STEPS, _ASIDE = 12, 16
_EVEN, _UNEVEN = 2, 6
"""epochs of a trial: where all epochs of a run take equally long, and where early and late ones do not"""
_GIB = 2**30


def measure_costs(recipe: Recipe, source: Source) -> Costs:
    """Train on a few images for some short epochs, and measure what the parts take.

    The first epoch warms up: compilers, caches and allocators do their work once. It is a whole run with all that the
    recipe asks for, so that checkpoints, logs and the probe of the surface count too. Where its epochs differ (smaller
    images first, layers that stop or join), the step's time is the mean over all of them.

    Args:
        recipe: of the run to come, at the size of image that is measured.
        source: its images, with all splits cut already.

    Raises:
        ValueError: as ``run``.
        KeyboardInterrupt: a signal asked to stop.
    """
    recipe, _ = settled(recipe)
    epochs = _UNEVEN if _is_uneven(recipe) else _EVEN
    small = adapt(recipe, {"train.epochs": epochs, "train.stop_after": None}).recipe
    small = small.but({"train.patience": None, "train.select": "last", "transfer.head": "zero", "test.train": False})
    images = _SampledImages(_sampled(source, recipe.train.batch_size * TRIAL_STEPS // epochs), streams(recipe, source))
    clock, began = _Stopwatch(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            record = run(small, Path(folder) / "run", observers=[clock], open_images=images)
        except InterruptedRunError:
            raise KeyboardInterrupt from None
    first, *later = (row["seconds"] for row in record.timings)
    last, mean = later[-1], (later[0] + sum(later)) / epochs  # the first is like the second, but for its warming up
    steps = len(images.source.splits["train"]) // recipe.train.batch_size
    device = pick_device(recipe.train.device)
    with reproducible(recipe.train.seed, device, recipe.train.threads or torch.get_num_threads()):
        components = build(small, device, open_images=images)
        each, fit = _evaluation(components), _fit(recipe, components, len(source.splits["train"]))
    aside = {name: len(split) for name, split in images.source.splits.items() if name != "train"}
    views = _views(recipe)
    return Costs(
        start=clock.epochs[0] - began - images.seconds + max(0.0, first - later[0]) + fit,
        decode=0.0 if images.streams else images.seconds / sum(map(len, images.source.splits.values())),
        step=mean / steps,
        evaluate=each,
        epoch=max(0.0, clock.stopped - clock.epochs[-1] - last - each * aside.get("held-out", 0)),
        finish=max(0.0, clock.ended - clock.stopped - each * views * sum(aside.values())),
    )


def _is_uneven(recipe: Recipe) -> bool:
    stops = recipe.schedule.freeze_out is not None
    return stops or recipe.train.small_size is not None or recipe.transfer.freeze == "gradual"


def expected_seconds(recipe: Recipe) -> float:
    """What training a recipe takes, by the costs of a short run; with folds all of their runs together.

    Raises:
        ValueError: as ``run``.
    """
    section, folds = recipe.data, recipe.data.folds if recipe.is_cross_validated else 0
    recipe = recipe.as_trained().but({"data.folds": None}) if folds else recipe
    source = open_set(section)
    source = cut_splits(source, cut_of(recipe.data))
    one = way(recipe.data.size or 0, False, measure_costs(recipe, source), count_work(recipe, source))
    return (1 + (folds or 0)) * one.seconds(recipe.train.epochs)  # a fold's run is nearly as long as the final one


def count_work(recipe: Recipe, source: Source) -> Counts:
    """How much a run on these images, with all splits cut already, does."""
    sizes = {name: len(split) for name, split in source.splits.items()}
    train, held_out, test = (sizes.get(name, 0) for name in ("train", "held-out", "test"))
    features = min(train, 20_000) + held_out if recipe.transfer.head == "fitted" else 0
    at_end = held_out + test + (train if recipe.test.train else 0)
    each = held_out + (test if recipe.train.select == "test" else 0)
    steps = max(1, train // recipe.train.batch_size)
    return Counts(steps, sum(sizes.values()), features, each, _views(recipe) * at_end)


def _views(recipe: Recipe) -> int:
    """How many versions of each image are evaluated at the end."""
    return sum(1 for _ in VERSIONS[recipe.test.views](torch.zeros(1, 3, 32, 32)))


@dataclass
class _Stopwatch(Observer):
    """When a run's epochs began, when its training stopped, and when all was done."""

    epochs: list[float] = field(default_factory=list)
    stopped: float = 0.0
    ended: float = 0.0

    def watch(self, batches: Iterator[Batch], done: int) -> Iterator[Batch]:  # noqa: ARG002
        self.epochs.append(time.monotonic())
        return batches

    def stop(self) -> None:
        self.stopped = time.monotonic()

    def close(self) -> None:
        self.ended = time.monotonic()


@dataclass
class _SampledImages:
    """Opens a sample in the place of a recipe's images, once, and measures how long that takes."""

    source: Source
    streams: bool
    seconds: float = 0.0
    opened: Data | None = None

    def __call__(self, section: DataSection, device: torch.device, wanted: Wanted) -> Data:
        if self.opened is None:
            began = time.monotonic()
            where = section.model_copy(update={"memory": 0.0}) if self.streams else section
            self.opened = open_source(self.source, Cut(0.0, 0.0), where, device, wanted)
            self.seconds = time.monotonic() - began
        return self.opened


def streams(recipe: Recipe, source: Source) -> bool:
    """Whether the whole set is too large for memory at the recipe's size."""
    images = sum(map(len, source.splits.values()))
    return images * 3 * (recipe.data.size or 0) ** 2 > recipe.data.memory * _GIB


def _sampled(source: Source, most: int) -> Source:
    """A sample of each split; some training images are held out where there is no other split to evaluate."""
    splits = {
        name: _some(split, most if name == "train" else _ASIDE) for name, split in source.splits.items() if len(split)
    }
    splits.setdefault("held-out", _some(source.splits["train"], _ASIDE))
    return Source(splits, source.classes)


def _some(split: Split, most: int) -> Split:
    rows = stratified_sample(split.labels, min(most, len(split)), 0)
    stored, kept = split.stored()
    # Chained, because a plain selection would have the whole collection decoded, to be cached.
    return Split(ChainedImages([SomeImages(stored, kept[rows])]), split.labels[rows])


def _evaluation(components: Components) -> float:
    """Seconds to evaluate an image."""
    batches = [images for images, _ in components.sample]
    predict_scores(components.judged, batches[:1])  # to warm up
    began = time.monotonic()
    predict_scores(components.judged, batches)  # the scores come to the CPU, which waits for the device
    return (time.monotonic() - began) / sum(map(len, batches))


def _fit(recipe: Recipe, components: Components, images: int) -> float:
    """Seconds to fit a head to the features of so many images, from a fit to some random ones."""
    names = final_layers(components.network)
    layer = components.network.get_submodule(names[0])
    if recipe.transfer.head != "fitted" or len(names) > 1 or not isinstance(layer, nn.Linear):
        return 0.0
    classes, most = len(components.data.classes), min(images, 20_000)
    count = min(most, max(300, 3 * classes))
    labels = torch.arange(count, device=components.device) % classes
    features = torch.randn(count, layer.in_features, device=components.device)
    fit_linear_probe(features[: 3 * classes], labels[: 3 * classes], classes)  # to warm up
    began = time.monotonic()
    fit_linear_probe(features, labels, classes)
    return (time.monotonic() - began) * most / count
