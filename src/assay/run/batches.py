"""From a recipe's sections on data and augmentation to batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from assay.base.ranks import ALONE, Ranks
from assay.classifier.evaluation import batch_size
from assay.data.ahead import has_free_cores
from assay.data.augment.build import build_augmentations, build_transform
from assay.data.augment.draw import Augmentation
from assay.data.augment.mix import build_mixes
from assay.data.batches import EvaluationBatches, TrainBatches
from assay.data.cache import FINGERPRINTS
from assay.data.dataset import Dataset, MemoryDataset, StreamedDataset
from assay.data.load import Data, load_data
from assay.data.preprocess import Normalize, Preprocessing, Wanted
from assay.data.sides import SideOf, as_they_are, growing
from assay.data.split import Cut, Source
from assay.data.storage import Storage
from assay.data.stratify import stratified_sample
from assay.recipe.data_section import DataSection
from assay.recipe.recipe import Recipe
from assay.recipe.sections import SMALL_SHARE, AugmentSection
from assay.run.open_set import open_set

_GIVEN = {"size", "crop_pct", "interpolation", "mean", "std"}
_SAMPLED = 512

OpenImages = Callable[[DataSection, torch.device, Wanted], Data]
"""as ``open_data``: a recipe's images, on a device"""


@dataclass(frozen=True)
class Feed:
    """The batches of a run.

    Attributes:
        train: the training batches, an epoch at a time.
        splits: those of held-out and test if they have images, and of train if the recipe evaluates it.
        sample: some 500 training images as they are, in random order and in (parts of) batches of the training's size.
    """

    train: TrainBatches
    splits: Mapping[str, EvaluationBatches]
    sample: EvaluationBatches


def open_data(section: DataSection, device: torch.device, wanted: Wanted) -> Data:
    """The images that a recipe names; ``wanted`` decides about the input what the recipe leaves open."""
    return open_source(open_set(section), cut_of(section), section, device, wanted)


def cut_of(section: DataSection) -> Cut:
    """How a recipe's missing splits are cut."""
    return Cut(section.held_out, section.test, section.split_seed, section.train_images, section.folds, section.fold)


def open_source(source: Source, cut: Cut, section: DataSection, device: torch.device, wanted: Wanted) -> Data:
    """The images of any source, treated as a recipe treats its own."""
    return load_data(
        source,
        wanted.but(**section.model_dump(include=_GIVEN)),
        cut=cut,
        storage=Storage(device, section.memory, section.workers, FINGERPRINTS[section.cache]),
        on_bad_image=section.on_bad_image,
    )


def build_feed(
    recipe: Recipe, data: Data, device: torch.device, layout: torch.memory_format, ranks: Ranks = ALONE
) -> Feed:
    """Batches of the splits, augmented as the recipe says; raises ``ValueError`` if the recipe's split is missing."""
    if recipe.train.select != "last" and not len(data.splits.get(recipe.train.select, ())):
        raise ValueError(f"train.select {recipe.train.select}: there is no such split to select by")
    how = data.preprocessing
    images, changes = _augmented(data.splits["train"], recipe.augment, how, "train")
    seen = _cropped_once(recipe.augment, how, "train")
    train = TrainBatches(
        images,
        recipe.train.batch_size,
        Normalize(seen, device, layout, enlarge=how.stored < how.size),
        augmentations=changes,
        mix=build_mixes(mixup=recipe.augment.mixup, cutmix=recipe.augment.cutmix),
        classes=len(data.classes),
        side_of=side_of(recipe, how.size),
        seed=recipe.train.seed,
        device=device,
        # Images that stream are decoded ahead in any case, by processes of their own.
        ahead=isinstance(images, MemoryDataset) and has_free_cores(device),
        ranks=ranks,
        parts=recipe.train.accumulate,
    )
    splits = {
        name: _evaluated(name, recipe, data, device, layout, ranks=ranks)
        for name, split in data.splits.items()
        if len(split) and (name != "train" or recipe.test.train)
    }
    return Feed(train, splits, _sample(recipe, data, device, layout))


def side_of(recipe: Recipe, size: int) -> SideOf:
    """The side of the training images in each epoch, where those of the test have ``size`` pixels.

    Raises:
        ValueError: they are not ascending: in the first epochs, in the last, and in the test.
    """
    train, large = recipe.train, recipe.train.size or size
    if train.size and train.size >= size:
        raise ValueError(f"train.size: {train.size} is not below the images' own {size} pixels")
    small = train.small_size
    if small is None:
        return (lambda _epoch: large) if train.size else as_they_are
    if small >= large:
        bound = "train.size" if train.size else "the images' own"
        raise ValueError(f"train.small_size: {small} is not below {bound} {large} pixels")
    share = train.small_share or SMALL_SHARE
    start, end = train.epochs * share, train.epochs * (share + (train.small_ramp or 0))
    return growing(small, large, start=start, end=end)


def training_images(
    recipe: Recipe, data: Data, device: torch.device, layout: torch.memory_format, most: int = 20_000
) -> EvaluationBatches:
    """The training images as they are; of more than ``most`` a stratified sample."""
    labels = data.splits["train"].labels.cpu().numpy()
    rows = stratified_sample(labels, min(most, len(labels)), recipe.data.split_seed)
    return _evaluated("train", recipe, data, device, layout, rows=torch.from_numpy(rows).to(device))


def _sample(recipe: Recipe, data: Data, device: torch.device, layout: torch.memory_format) -> EvaluationBatches:
    count, size = len(data.splits["train"]), recipe.train.batch_size // recipe.train.accumulate
    rows = torch.randperm(count, generator=torch.Generator().manual_seed(recipe.data.split_seed))
    whole = min(count, max(_SAMPLED, size)) // size * size
    return _evaluated("train", recipe, data, device, layout, rows=rows[:whole].to(device), size=size)


def _is_augmented(section: AugmentSection, split: str) -> bool:
    return split in {"train": ["train"], "test": ["test"], "both": ["train", "test"]}[section.where]


def _cropped_once(section: AugmentSection, how: Preprocessing, split: str) -> Preprocessing:
    """The preprocessing without its central crop if a random crop takes its place."""
    return replace(how, crop_pct=None) if section.resized_crop and _is_augmented(section, split) else how


def _evaluated(
    name: str,
    recipe: Recipe,
    data: Data,
    device: torch.device,
    layout: torch.memory_format,
    rows: Tensor | None = None,
    size: int | None = None,
    ranks: Ranks = ALONE,
) -> EvaluationBatches:
    section = AugmentSection() if name == "train" else recipe.augment  # training images are evaluated as they are
    normalize = Normalize(_cropped_once(section, data.preprocessing, name), device, layout)
    images, changes = _augmented(data.splits[name], section, data.preprocessing, name)
    # Augmented evaluation images are drawn anew from the seed each time, so that epochs see the same ones.
    is_changed = images is not data.splits[name] or changes
    seed = recipe.train.seed if is_changed else None
    size = size or batch_size(data.preprocessing.size, device)
    return EvaluationBatches(images, size, normalize, augmentations=changes, seed=seed, rows=rows, ranks=ranks)


def _augmented(
    dataset: Dataset, section: AugmentSection, how: Preprocessing, split: str
) -> tuple[Dataset, list[Augmentation]]:
    """The split's images, and the changes to whole batches of them.

    Streamed images are changed one by one by the workers that decode them, so that there is nothing left to change.
    """
    if not _is_augmented(section, split):
        return dataset, []
    changes = build_augmentations(section)
    section.check_channels(how.channels)
    if not changes or not isinstance(dataset, StreamedDataset):
        return dataset, changes
    transform = build_transform(how.stored, section, square=how.square, interpolation=how.interpolation)
    to_any = partial(build_transform, strengths=section, interpolation=how.interpolation)
    return dataset.with_transform(transform, to_any if _crops_to_any_side(section, how) else None), []


def _crops_to_any_side(section: AugmentSection, how: Preprocessing) -> bool:
    """Whether a streamed image's random part can be scaled to a smaller side at once, which takes less time.

    Not where other changes count in pixels: those would be more of a smaller image.
    """
    in_pixels = section.crop or section.translate or section.cutout
    return bool(section.resized_crop) and how.stored == how.size and not in_pixels
