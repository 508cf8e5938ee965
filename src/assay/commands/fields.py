"""A recipe and its fields as arguments of a command."""

from __future__ import annotations

import argparse
from typing import Any

from assay.recipe.fields import describe_field, field_names, parse_field


def add_recipe(parser: argparse.ArgumentParser, or_else: str = "") -> None:
    """RECIPE, and a flag for every field; ``or_else`` says what may stand in place of a recipe."""
    parser.add_argument(
        "recipe",
        metavar="RECIPE",
        help=f"a name that `assay recipes` lists, a recipe's YAML file, or a run folder{or_else}",
    )
    add_fields(parser)


def add_fields(parser: argparse.ArgumentParser) -> None:
    """A flag for every field, in a group for each section."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name in field_names():
        section = name.partition(".")[0]
        if section not in groups:
            groups[section] = parser.add_argument_group(section)
        description, values, default = describe_field(name)
        shown = "" if default is None else f"; {str(default).lower() if isinstance(default, bool) else default}"
        text = f"{description} ({values}{shown})".replace("%", "%%")  # argparse puts values in at a single %
        groups[section].add_argument(f"--{name}", dest=name, metavar="VALUE", default=argparse.SUPPRESS, help=text)


def given_fields(options: argparse.Namespace) -> dict[str, Any]:
    """The values of the flags that were given, under their dotted names."""
    # A flag that is not given has no attribute (SUPPRESS), so the recipe's own value stays.
    return {name: parse_field(name, vars(options)[name]) for name in field_names() if name in vars(options)}
