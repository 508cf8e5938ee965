"""A named recipe, suited to the set of images that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.sources import load_source
from assay.data.split import Cut, cut_splits
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe


def suited(name: str, recipe: Recipe, given: Mapping[str, Any]) -> tuple[Recipe, list[str]]:
    """Let a named recipe take from the size of the set what depends on it.

    Args:
        name: of the recipe; one without rules comes back as it is.
        recipe: the recipe.
        given: the fields that the user has set, which name the set; the rules change none of them.

    Returns:
        The recipe, whose other fields are as before, and a line for each that a rule has changed.

    Raises:
        ValueError: the given fields name no set.
    """
    rules = RECIPES[name].suit if name in RECIPES else None
    if rules is None:
        return recipe, []
    section = recipe.but({key: value for key, value in given.items() if key.startswith("data.")}).data
    source = load_source(section.name, root=section.root, label=section.label)
    splits = cut_splits(source, Cut(0.0, section.test, section.split_seed, section.train_images)).splits
    choices = rules(len(splits["train"]), len(splits.get("held-out", ())), given)
    changed = {key: choice for key, choice in choices.items() if choice.value != recipe.get(key)}
    notes = [f"{key} {choice.value}: {choice.reason}" for key, choice in changed.items()]
    return recipe.but({key: choice.value for key, choice in changed.items()}), notes
