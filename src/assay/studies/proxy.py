"""A proxy of a published setting for a small machine: fewer images and epochs, narrower networks."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.base.numbers import is_number, whole
from assay.base.text import quoted
from assay.models import MODELS
from assay.recipe.recipe import Recipe
from assay.run.lengths import scaled_lengths


@dataclass(frozen=True)
class Proxy:
    """A smaller setting in which a study's question can still be asked.

    Schedules, warmup and patience shrink in proportion to the epochs, so that the curve keeps its shape. The weight
    decay grows as an epoch has fewer steps: with rate eta and decay lambda the weights are an average over the last
    1 / (eta lambda) steps, and the best such time is about the same number of epochs for any number of images
    (Wang & Aitchison 2024, How to set AdamW's weight decay as you scale model and dataset size, section 4). It is
    kept for every optimizer, although only for SGD, AdamW and Muon it is such a time.

    Attributes:
        epochs: of the base recipe, at least 1; rows with other epochs keep their ratio to the base, rounded.
        images: the largest number of training images; None for as many as the published setting has.
        width: factor above 0 on the numbers of channels of networks that have such an option.
        changes: further fields that differ from the published setting in every row, under dotted names.
        swaps: for a field, new values by published ones, so that rows that differ in the field still do.
        images_of: the number of training images of the published setting, those held out among them; None where it is
            unknown, and then the weight decay takes no account of fewer images.

    Raises:
        ValueError: a value is out of its range.
    """

    epochs: int
    images: int | None = None
    width: float = 1.0
    changes: Mapping[str, Any] = field(default_factory=dict)
    swaps: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    images_of: int | None = None

    def __post_init__(self) -> None:
        whole("epochs", self.epochs)
        if self.images is not None:
            whole("images", self.images)
        if self.images_of is not None:
            whole("images_of", self.images_of)
        if not (is_number(self.width) and 0 < self.width < math.inf):
            raise ValueError(f"width must be a number above 0, got {quoted(self.width)}")

    def apply(self, recipe: Recipe, base_epochs: int) -> Recipe:
        """Return a published recipe at this setting; ``base_epochs`` are those of the study's published base.

        Raises:
            ValueError: a field leaves its range.
        """
        epochs = max(1, round(recipe.train.epochs * self.epochs / base_epochs))
        ratio = epochs / recipe.train.epochs
        changes: dict[str, Any] = {"train.epochs": epochs, **scaled_lengths(recipe, ratio)}
        if recipe.train.patience:
            changes["train.patience"] = max(1, round(ratio * recipe.train.patience))
        if self.images is not None:
            changes["data.train_images"] = min(self.images, recipe.data.train_images or self.images)
        constructor = MODELS.get(recipe.model.name)
        has_width = constructor is not None and "width" in inspect.signature(constructor).parameters
        if self.width != 1 and has_width:
            changes["model.width"] = self.width * (recipe.model.width or 1.0)  # None stands for the model's own, 1
        swapped = {name: new[recipe.get(name)] for name, new in self.swaps.items() if recipe.get(name) in new}
        small = recipe.but({**changes, **swapped, **self.changes})
        if "optim.weight_decay" in self.changes or "optim.weight_decay" in swapped:
            return small
        decay = recipe.optim.weight_decay * self._fewer_steps(recipe, small)
        return small.but({"optim.weight_decay": float(f"{decay:.3g}")}) if decay != recipe.optim.weight_decay else small

    def _fewer_steps(self, recipe: Recipe, small: Recipe) -> float:
        """How many times more the rates of an epoch's steps sum to in the published setting, their schedules apart."""
        images = 1.0
        if self.images is not None and self.images_of is not None:
            published = self.images_of * (1 - recipe.data.held_out)
            published = min(published, recipe.data.train_images or published)
            images = max(1.0, published / (small.data.train_images or published))
        return images * (recipe.top_rate / recipe.train.batch_size) / (small.top_rate / small.train.batch_size)

    def in_words(self, base_epochs: int) -> str:
        """Describe the setting as every table states it."""
        parts = [f"{self.epochs} epochs in place of {base_epochs}, schedules in proportion"]
        if self.images is not None:
            parts.append(f"at most {self.images:,} training images")
            if self.images_of is not None:
                parts.append("weight decay stronger in proportion, so that 1 / (rate x decay) is as many epochs")
        if self.width != 1:
            parts.append(f"networks {self.width:g} times as wide where they have a width")
        for name, values in self.swaps.items():
            parts.append(f"{name} {', '.join(f'{new} in place of {old}' for old, new in values.items())}")
        return "; ".join([*parts, *(f"{name} {value}" for name, value in self.changes.items())])
