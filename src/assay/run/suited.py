"""A recipe as it is used: a named one is suited to the set of images first, then changed as its user says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.split import Cut, Source, cut_splits, pooled
from assay.recipe.data_section import DataSection
from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.recipe.suit import Choice
from assay.run.adapt import Adapted, adapt
from assay.run.open_set import open_set


def suited(name: str, recipe: Recipe, given: Mapping[str, Any]) -> Adapted:
    """Change a recipe as ``adapt`` does; one that has rules takes from the set of images first what depends on it.

    Args:
        name: of the recipe.
        recipe: the named recipe itself, or another, which has no rules.
        given: values under dotted names, which no rule changes.

    Raises:
        ValueError: as ``Recipe.but``; or there is no set of the name that a rule has to look at.
    """
    entry = RECIPES.get(name)
    if entry is None or entry.suit is None or entry.recipe is not recipe:  # a file may have the name of a recipe
        return adapt(recipe, given)
    section = adapt(recipe, given).recipe.data
    source = open_set(section, grouped=False)
    choices = entry.suit(*images_to_learn_from(source, section), given)
    changed = {key: choice for key, choice in choices.items() if choice.value != recipe.get(key)}
    adapted, kept = with_choices(recipe, changed, given)
    notes = (_note(key, choice) for key, choice in kept.items())
    return Adapted(adapted.recipe, adapted.changes, (*notes, *adapted.notes))


def with_choices(
    recipe: Recipe, choices: Mapping[str, Choice], given: Mapping[str, Any]
) -> tuple[Adapted, Mapping[str, Choice]]:
    """Change a recipe as rules have chosen, then as its user says; also return the choices that hold after that.

    The choices are for the length of the run that is given, if it is: they are not scaled to it once more.
    """
    epochs = {name: given[name] for name in given if name == "train.epochs"}
    chosen = {name: choice.value for name, choice in choices.items() if name not in given}
    first = adapt(recipe, {**chosen, **epochs})
    last = adapt(first.recipe, given)
    adapted = Adapted(last.recipe, last.changes, (*first.notes, *last.notes))
    return adapted, {name: choices[name] for name in chosen if adapted.recipe.get(name) == chosen[name]}


def images_to_learn_from(source: Source, section: DataSection) -> tuple[int, int]:
    """How many images a set has to learn from, before any are held out, and in a held-out split of its own.

    With folds, the model of a fold learns from those of the others.

    Raises:
        ValueError: as ``cut_splits`` does.
    """
    if section.folds:
        images = len(pooled(source).splits["train"])
        return images - images // section.folds, 0
    splits = cut_splits(source, Cut(0.0, section.test, section.split_seed, section.train_images)).splits
    own = source.splits.get("held-out")
    return len(splits["train"]), 0 if own is None else len(own)


def _note(name: str, choice: Choice) -> str:
    value = str(choice.value).lower() if isinstance(choice.value, bool) else choice.value
    return f"{name}: {value}, for {choice.reason}"
