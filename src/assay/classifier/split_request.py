"""The labelled images to evaluate a classifier on: a split of the set that it was trained on, or of another set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch

from assay.base.registry import choose, nearest
from assay.classifier.classifier import Classifier
from assay.classifier.evaluation import Evaluation, batch_size, evaluate_batches
from assay.data.batches import EvaluationBatches
from assay.data.cache import FINGERPRINTS
from assay.data.choices import OUT_OF_FOLD, CacheUse, OnBadImage, OnUnlabelled
from assay.data.dataset import Dataset
from assay.data.images import BadImageError
from assay.data.preprocess import Normalize
from assay.data.sources import full_name, load_source
from assay.data.split import SPLITS, Cut, Source, cut_splits, pooled, relabel
from assay.data.storage import Storage, decode_source, to_dataset


@dataclass(frozen=True)
class Labelled:
    """The images of a split, and the errors of those that could not be decoded."""

    dataset: Dataset
    left_out: tuple[BadImageError, ...]


@dataclass(frozen=True)
class SplitRequest:
    """Which labelled images to evaluate a classifier on. None means: as in the classifier's training.

    Attributes:
        split: ``train``, ``held-out`` or ``test``, cut as in the classifier's training; or ``out-of-fold``, the images
            that were cut into folds: for these a cross-validated run has left answers, and its final model has none.
        data: a set's name, as in a recipe; None is the classifier's own set, on which it was trained.
        root: the folder that holds the named sets; None is the default one.
        label: the label column of a Parquet set that has several.
        on_bad_image: ``error`` or ``skip``. None means for the classifier's own set what its recipe says, because
            the splits were cut from the images that were left, and ``error`` for other sets.
        device: where to compute: ``auto``, ``cpu``, ``cuda``...
        unlabelled: ``error`` or ``skip``; None as for ``on_bad_image``.
        cache: how far decoded images are kept: ``off``, ``verify`` or ``on``.

    Raises:
        ValueError: ``on_bad_image``, ``unlabelled`` or ``cache`` is something else.
    """

    split: str = "test"
    data: str | None = None
    root: str | Path | None = None
    label: str | None = None
    on_bad_image: str | None = None
    device: str = "auto"
    unlabelled: OnUnlabelled | None = None
    cache: CacheUse = "on"

    def __post_init__(self) -> None:
        for name, value, kinds in (
            ("on_bad_image", self.on_bad_image, OnBadImage),
            ("unlabelled", self.unlabelled, OnUnlabelled),
            ("cache", self.cache, CacheUse),
        ):
            if value is not None:
                choose(name, value, dict.fromkeys(get_args(kinds)))

    @classmethod
    def of(cls, data: SplitRequest | str | None) -> SplitRequest:
        """Return the request itself, or the one for the test split of the named set; None is the classifier's own."""
        return data if isinstance(data, SplitRequest) else cls(data=data)

    @property
    def names_data(self) -> bool:
        """Whether the request names images, which must then exist; a root only says where to look."""
        return self.data is not None or self.label is not None

    def open(self, classifier: Classifier, device: torch.device) -> Labelled:
        """Open the images, on the device if its memory allows.

        Raises:
            ValueError: there is no such set or split, it is empty, or the classifier does not know one of its classes.
        """
        own = classifier.data
        wanted = self.data or own.get("name")
        if not wanted:
            raise ValueError("the model does not say which images it learned from; name a set with --data.name")
        name = full_name(wanted)
        # What the recipe says about its own set means nothing for another one.
        usual = own if name == own.get("name") else {}
        root = None if self.root is None else Path(self.root).expanduser()
        source = load_source(
            name,
            root=root,
            label=self.label or usual.get("label"),
            groups=usual.get("groups"),
            unlabelled=self.unlabelled or usual.get("unlabelled") or "error",
            cache=self.cache,
        )
        chosen, cut = choose_split(relabel(source, classifier.classes), self.split, classifier, name)
        on_bad_image = self.on_bad_image or usual.get("on_bad_image") or "error"
        how, storage = classifier.preprocessing, Storage(device, fingerprint=FINGERPRINTS[self.cache])
        decoded, bad = decode_source(chosen, how, storage, on_bad_image)
        part = "train" if self.split == OUT_OF_FOLD else self.split
        dataset = to_dataset(cut_splits(decoded, cut).splits[part], how, storage)
        if not len(dataset):
            raise ValueError(f"{name}: there are no {self.split} images{_instead(usual)}")
        # A split that the set brings along holds no training images, whatever comes or goes.
        if self.split not in source.splits or self.split == "train" or cut.fold:
            _check_cut(dataset, self.split, usual)
        return Labelled(dataset, tuple(bad))

    def evaluate(self, classifier: Classifier, device: torch.device, views: str | None = None) -> Evaluation:
        """Evaluate the classifier on the images. Raises as ``open`` does, and where a score is not finite.

        Args:
            classifier: must be ready on the device.
            device: where to compute.
            views: name of the test-time augmentation; None is that of the classifier's own metrics.
        """
        if self.split == OUT_OF_FOLD:
            raise ValueError(
                f"{OUT_OF_FOLD} images: the model has learned from them; only its folds' models can answer"
            )
        seen = classifier.views(views)
        opened = self.open(classifier, device)
        how = classifier.preprocessing
        normalize = Normalize(how, device, torch.channels_last)
        batches = EvaluationBatches(opened.dataset, batch_size(how.size, device), normalize)
        evaluation = evaluate_batches(classifier.network, batches, classifier.classes, opened.left_out, views=seen)
        if not evaluation.scores.isfinite().all():
            raise ValueError(f"some of the network's scores for {self.split} are not finite numbers")
        return evaluation


def digest(names: Sequence[str]) -> str:
    """Hash the names of images, in their order, to 16 hexadecimal digits."""
    # Names hold no NUL, so different lists never join to the same text.
    return hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()[:16]


def _check_cut(dataset: Dataset, split: str, training: Mapping[str, Any]) -> None:
    """Refuse a split that was cut from other images than in training: it may hold images of the training split."""
    wanted = training.get("images", {}).get(split)
    if wanted and digest(dataset.names) != wanted:
        raise ValueError(
            f"{training['name']}: images came, went or were renamed, so its {split} split is not that of the training "
            "and may hold images that the model learned from; name a set of other images with --data.name"
        )


def _instead(training: Mapping[str, Any]) -> str:
    """Return which split a cross-validated model has answers for, as it learned from all but the set's test images."""
    is_final = training.get("folds") and not training.get("fold")
    return f": the model learned from all of them; for the fold models' answers take {OUT_OF_FOLD}" if is_final else ""


def choose_split(source: Source, split: str, classifier: Classifier, name: str) -> tuple[Source, Cut]:
    """Return the part of a source to open, and the cut that makes the split from it.

    The classifier's own set is cut as in its training. Another set must have the split, or a single split, which is
    then taken whole.
    """
    if split not in (*SPLITS, OUT_OF_FOLD):
        raise ValueError(f"unknown split {split!r}: {nearest(split, [*SPLITS, OUT_OF_FOLD])}")
    own = classifier.data if name == classifier.data.get("name") else {}
    if own.get("folds"):
        source = pooled(source)
    if split == OUT_OF_FOLD:
        if not own.get("folds") or own.get("fold"):
            raise ValueError(f"{name}: no {OUT_OF_FOLD} images: the model was not trained with data.folds on it")
        return replace(source, splits={"train": source.splits["train"]}), Cut(0.0, 0.0)
    if split in source.splits and split != "train" and not own.get("fold"):
        return replace(source, splits={split: source.splits[split]}), Cut()
    if own:
        if split == "held-out" and not own["held_out"]:
            raise ValueError(f"{name}: no images were held out{_instead(own) or ' (data.held_out was 0)'}")
        more = (own.get(field) for field in ("train_images", "folds", "fold"))
        return source, Cut(own["held_out"], own["test"], own["split_seed"], *more)
    if len(source.splits) > 1 and split not in source.splits:
        raise ValueError(f"{name} has no {split} split; it has {', '.join(source.splits)}")
    return replace(source, splits={split: source.splits.get(split, source.splits["train"])}), Cut(0.0, 0.0)
