"""The named recipes: a file for each report, one for everyday use, one for small images fast."""

from __future__ import annotations

from pathlib import Path

from assay.base.registry import choose
from assay.recipe.named import everyday, fast, r1, r2, r3, r4, r5
from assay.recipe.named.named_recipe import Measured, NamedRecipe
from assay.recipe.recipe import Recipe, read_recipe

__all__ = ["RECIPES", "Measured", "NamedRecipe", "find_recipe"]

RECIPES: dict[str, NamedRecipe] = {
    name: entry for module in (everyday, fast, r1, r2, r3, r4, r5) for name, entry in module.RECIPES.items()
}


def find_recipe(recipe: str | Path | Recipe) -> tuple[str, Recipe]:
    """A name for the run, and the recipe: a named one, that of a YAML file or a run folder, or itself.

    Raises:
        ValueError: no such recipe; names the nearest one.
    """
    if isinstance(recipe, Recipe):
        return recipe.model.name.replace(":", "-"), recipe
    path = Path(recipe)
    if str(recipe) not in ("", *RECIPES) and (path.is_dir() or path.suffix in (".yaml", ".yml")):
        file = path / "recipe.yaml" if path.is_dir() else path
        return (path.name if path.is_dir() else path.stem), read_recipe(file)
    return str(recipe), choose("recipe", str(recipe), RECIPES).recipe
