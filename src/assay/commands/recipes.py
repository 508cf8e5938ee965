"""List the named recipes with their measured results, or show one of them.

assay recipes            the list
assay recipes show NAME  the recipe as YAML, which `assay train FILE.yaml` takes, and its learning rate
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing, or ``show NAME``."""
    parser.add_argument("show", metavar="show", nargs="?", choices=["show"], help="show one recipe as YAML")
    parser.add_argument("name", metavar="NAME", nargs="?", help="a recipe of the list, a YAML file or a run folder")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw its learning rate into a PNG or SVG file")


def execute(options: argparse.Namespace) -> int:
    """Print the list or the recipe."""
    from assay.recipes import find_recipe

    if options.show is None:
        print_list()
    elif options.name is None:
        raise ValueError("which recipe? assay recipes show NAME")
    else:
        name, recipe = find_recipe(options.name)
        show(name, recipe, options.plot)
    return 0


def show(name: str, recipe: Recipe, plot: Path | None) -> None:
    """The recipe as YAML, its learning rate as comments, so that the whole is still YAML."""
    from assay.analysis.plots import save_figure
    from assay.analysis.schedule_plot import draw_schedule, plot_schedule
    from assay.parts import learning_rate

    rate, epochs = learning_rate(recipe), recipe.train.epochs
    print(recipe.to_yaml(), end="")
    print("\n# learning rate")
    for line in draw_schedule(rate, epochs):
        print(f"# {line}".rstrip())
    if plot:
        save_figure(plot_schedule(rate, epochs, f"{name}: {recipe.schedule.name}"), plot)
        print(f"# picture: {plot}")


def print_list() -> None:
    """A table: name, purpose, accuracy with its spread, time, and what it was measured on."""
    from rich.console import Console
    from rich.table import Table

    from assay.recipes import RECIPES

    table = Table("recipe", "what it is", "test accuracy", "time", "measured on", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for name, entry in RECIPES.items():
        measured = entry.measured
        figures = (measured.accuracy_in_words(), measured.time_in_words(), measured.hardware) if measured else ()
        table.add_row(name, entry.purpose, *(figures or ("not measured yet", "", "")))
    Console().print(table)
