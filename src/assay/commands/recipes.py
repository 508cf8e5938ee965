"""List the named recipes with their measured results, or show one of them.

assay recipes            the list
assay recipes show NAME  the recipe as YAML, which `assay train FILE.yaml` takes, and its learning rate
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.recipe.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing, or ``show NAME``."""
    parser.add_argument("show", metavar="show", nargs="?", choices=["show"], help="show one recipe as YAML")
    parser.add_argument("name", metavar="NAME", nargs="?", help="a recipe of the list, a YAML file or a run folder")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw its learning rate into a PNG or SVG file")


def execute(options: argparse.Namespace) -> int:
    """Print the list or the recipe."""
    from assay.recipe.named import find_recipe

    if options.plot is not None:
        from assay.analysis.output import check_picture

        if options.show is None:
            raise ValueError("--plot draws one recipe: assay recipes show NAME --plot FILE")
        check_picture(options.plot)
    if options.show is None:
        print_list()
    elif options.name is None:
        raise ValueError("which recipe? assay recipes show NAME")
    else:
        name, recipe = find_recipe(options.name)
        show(name, recipe, options.plot)
    return 0


def show(name: str, recipe: Recipe, plot: Path | None) -> None:
    """Print the recipe as YAML, with its learning rate as comments, so that the output is still YAML."""
    from assay.analysis.figures.schedule_plot import draw_schedule, plot_schedule
    from assay.analysis.figures.style import save_figure
    from assay.run.build import learning_rate

    rate, epochs = learning_rate(recipe), recipe.train.epochs
    print(recipe.to_yaml(), end="")
    print("\n# learning rate")
    for line in draw_schedule(rate, epochs):
        print(f"# {line}".rstrip())
    if plot:
        save_figure(plot_schedule(rate, epochs, f"{name}: {recipe.schedule.name}"), plot)
        print(f"# picture: {plot}")


def print_list() -> None:
    """Print the recipes that were measured, with accuracy, spread, time, hardware and code; then the others."""
    from rich.console import Console
    from rich.table import Table

    from assay.recipe.named import RECIPES
    from assay.studies.execution.code_version import code_version

    headings = ("recipe", "what it is", "test accuracy", "time", "measured on", "by commit")
    measured = Table(*headings, box=None, pad_edge=False)
    older = []
    others = Table("not measured yet", "", box=None, pad_edge=False)
    for name, entry in RECIPES.items():
        if entry.measured:
            about = entry.measured
            is_ours = about.code == code_version()
            older += [] if is_ours else [name]
            figures = (about.accuracy_in_words(), about.time_in_words(), about.hardware)
            measured.add_row(name, entry.purpose, *figures, f"{about.commit}{'' if is_ours else ' *'}")
        else:
            others.add_row(name, entry.purpose)
    console = Console()
    for table in (measured, others):
        table.columns[0].no_wrap = True
        console.print(table)
        if table is measured and older:
            console.print("* by another version of the code or its libraries: today's may give other figures\n")
