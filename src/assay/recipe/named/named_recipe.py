"""A named recipe: the recipe, its purpose, and its measured results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from assay.recipe.recipe import Recipe
from assay.recipe.suit import Choice


@dataclass(frozen=True)
class Measured:
    """A recipe's measured results.

    Attributes:
        accuracies: on the test split, in percent, one for each seed from 0 on.
        seconds: mean training time of one run, without the reading of the data.
        hardware: what it was measured on.
        commit: of the code that measured it.
        code: the version of that code and its libraries, by which runs are known; empty where it was not noted.
    """

    accuracies: tuple[float, ...]
    seconds: float
    hardware: str
    commit: str
    code: str = ""

    def accuracy_in_words(self) -> str:
        """Mean, standard deviation and number of seeds."""
        spread = f" ± {stdev(self.accuracies):.2f}" if len(self.accuracies) > 1 else ""
        seeds = len(self.accuracies)
        return f"{fmean(self.accuracies):.2f}{spread} % ({seeds} seed{'s' if seeds > 1 else ''})"

    def time_in_words(self) -> str:
        """Seconds, or minutes from two on."""
        return f"{self.seconds:.0f} s" if self.seconds < 120 else f"{self.seconds / 60:.0f} min"


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe with its purpose in a line.

    Attributes:
        recipe: its fields.
        purpose: what it is for.
        measured: its results; None before they are measured.
        suit: chooses the fields that depend on the size of the set, as ``recipe.suit.suit_finetuning`` does; None where
            there are none.
    """

    recipe: Recipe
    purpose: str
    measured: Measured | None = None
    suit: Callable[..., Mapping[str, Choice]] | None = None


CROP_FLIP = {"augment.crop": 4, "augment.flip": 0.5}
STEM_3X3 = {"model.stem_kernel": 3, "model.stem_stride": 1, "model.stem_pool": False}  # for 32x32 pixels
LAST_EPOCH = {"data.held_out": 0.0, "train.select": "last"}  # the reports' own protocol: no image is held out

ONE_THREAD = "1 thread of 2 cores with AVX-512"
SHARED = "1 thread, two runs at a time on 2 cores"
TWO_THREADS = "2 cores with AVX-512, no GPU"
