"""The named recipes, each a difference from another, with what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from assay.choices import choose
from assay.recipe import Recipe
from assay.record import read_recipe


@dataclass(frozen=True)
class Measured:
    """What a recipe reached.

    Attributes:
        accuracies: on the test split, in percent, one for each seed from 0 on.
        seconds: mean training time of one run, without the reading of the data.
        hardware: what it was measured on.
    """

    accuracies: tuple[float, ...]
    seconds: float
    hardware: str

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
    """A recipe with its purpose in a line and, once measured, its results."""

    recipe: Recipe
    purpose: str
    measured: Measured | None = None


_ONE_THREAD = "1 thread of 2 cores with AVX-512"
_SHARED = "1 thread, two runs at a time on 2 cores"
_TWO_THREADS = "2 cores with AVX-512, no GPU"

_DIGITS = Recipe().but(
    {
        "data.size": 32,
        "augment.crop": 1,
        "optim.name": "adam",
        "optim.lr": 2e-3,
        "schedule.name": "cosine",
        "train.epochs": 30,
        "train.batch_size": 32,
        "train.select": "last",  # 145 held-out images are too few to select by
        "train.threads": 1,  # steps this small gain nothing from more, and lose much on a busy machine
    }
)

_SIMPLE_CNN = Recipe().but(
    {
        "data.name": "cifar10",
        "data.held_out": 0.0,  # the report's own protocol: all training images, the last epoch
        "train.select": "last",
        "optim.lr": 0.01,
        "optim.momentum": 0.9,
        "schedule.name": "cosine",
        "train.epochs": 8,
        "train.batch_size": 64,
    }
)
_SIMPLE_CNN_AUGMENT = _SIMPLE_CNN.but(
    {
        "data.held_out": 0.1,
        "train.select": "held-out",
        "augment.crop": 2,
        "augment.flip": 0.5,
        "optim.lr": 0.02,
        "train.epochs": 24,
        "train.batch_size": 128,
    }
)
_SIMPLE_CNN_AUGMENT_L2 = _SIMPLE_CNN_AUGMENT.but({"optim.weight_decay": 5e-4})

_RESNET18 = Recipe().but(
    {
        "data.name": "cifar10",
        "augment.crop": 4,
        "augment.flip": 0.5,
        "model.name": "resnet18",
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "model.stem_pool": False,
        "optim.lr": 0.1,
        "optim.momentum": 0.9,
        "optim.weight_decay": 5e-4,
        "schedule.name": "cosine",
    }
)

_PHOTOS = _RESNET18.but(
    {
        "data.name": "folder:photos",
        "data.size": 128,
        "augment.crop": 16,
        "model.stem_kernel": 7,
        "model.stem_stride": 2,
        "model.stem_pool": True,
        "optim.lr": 0.05,
        "train.epochs": 30,
        "train.batch_size": 64,
    }
)

RECIPES: dict[str, NamedRecipe] = {
    "digits": NamedRecipe(
        _DIGITS, "the embedded handwritten digits, in seconds", Measured((98.59, 98.87, 98.59), 11, _ONE_THREAD)
    ),
    "simple-cnn": NamedRecipe(
        _SIMPLE_CNN, "a LeNet on CIFAR-10 (report R3)", Measured((65.56, 65.35, 66.21), 64, _TWO_THREADS)
    ),
    "simple-cnn-augment": NamedRecipe(
        _SIMPLE_CNN_AUGMENT,
        "the same with crop and flip (R3)",
        Measured((70.95, 70.45, 72.21), 300, _SHARED),
    ),
    "simple-cnn-augment-l2": NamedRecipe(
        _SIMPLE_CNN_AUGMENT_L2,
        "the same with crop, flip and L2 (R3)",
        Measured((71.56, 71.09, 72.49), 301, _SHARED),
    ),
    "resnet18-cifar": NamedRecipe(_RESNET18, "ResNet-18 with a 3x3 stem and no pooling on CIFAR-10 (R2, R3)"),
    "photos": NamedRecipe(_PHOTOS, "a folder of photos: give --data.name folder:PATH"),
}


def find_recipe(recipe: str | Path | Recipe) -> tuple[str, Recipe]:
    """A name for the run, and the recipe: a named one, that of a YAML file or a run folder, or itself.

    Raises:
        ValueError: no such recipe; names the nearest one.
    """
    if isinstance(recipe, Recipe):
        return recipe.model.name, recipe
    path = Path(recipe)
    if str(recipe) not in RECIPES and (path.is_dir() or path.suffix in (".yaml", ".yml")):
        file = path / "recipe.yaml" if path.is_dir() else path
        return (path.name if path.is_dir() else path.stem), read_recipe(file)
    return str(recipe), choose("recipe", str(recipe), RECIPES).recipe
