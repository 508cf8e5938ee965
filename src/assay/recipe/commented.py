"""A recipe as a person reads it: the fields that are not at their defaults, each with the reason for its value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from assay.base.text import one_line
from assay.recipe.recipe import Recipe


def commented_yaml(recipe: Recipe, reasons: Mapping[str, str]) -> str:
    """Write the fields that differ from the default recipe as YAML, with their reasons as comments.

    Args:
        recipe: to which ``Recipe.from_yaml`` reads the text back.
        reasons: a line for some of the fields, by dotted name.
    """
    changed = Recipe().differences(recipe)
    lines: list[str] = []
    for section, fields in recipe.to_dict().items():
        names = [name for name in fields if f"{section}.{name}" in changed]
        lines += [f"{section}:"] if names else []
        for name in names:
            reason = reasons.get(f"{section}.{name}")
            lines.append(f"  {name}: {_in_one_line(fields[name])}" + (f"  # {one_line(reason)}" if reason else ""))
    return "\n".join(lines) + "\n"


def _in_one_line(value: Any) -> str:
    """A list stands in brackets, and no text is broken, so that a comment may follow."""
    quotes = '"' if isinstance(value, str) and not value.isprintable() else None  # in which line breaks are escaped
    text = yaml.safe_dump(value, default_flow_style=True, default_style=quotes, width=math.inf)
    return text.removesuffix("...\n").rstrip()
