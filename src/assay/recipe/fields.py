"""A recipe's fields by their dotted names, such as ``optim.lr``: their types and ranges, in words too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from assay.base.registry import nearest
from assay.base.strict_model import StrictModel
from assay.base.strict_yaml import parse_yaml
from assay.base.text import quoted, shorten
from assay.recipe.sections import Sections

_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
_LIMITS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def section_types() -> dict[str, type[StrictModel]]:
    """The class of each section by its name."""
    annotations = {name: info.annotation for name, info in Sections.model_fields.items()}
    return {name: kind for name, kind in annotations.items() if isinstance(kind, type)}


@cache  # each access by name asks for them: 20,000 times for the table of 15 runs
def field_names() -> tuple[str, ...]:
    """The dotted name of every field of a recipe."""
    return tuple(f"{section}.{field}" for section, kind in section_types().items() for field in kind.model_fields)


def check_field(name: str) -> None:
    """Raise ``ValueError`` with the nearest name if a recipe has no field of that dotted name."""
    if name not in field_names():
        # The section is right: names of others would mislead.
        within = [known for known in field_names() if known.startswith(f"{name.partition('.')[0]}.")]
        raise ValueError(f"unknown field {shorten(name, 120)}: {nearest(name, within or section_types())}")


def describe_field(name: str) -> tuple[str, str, Any]:
    """A field's description, its type with its range in words, and its default."""
    section, field = name.split(".")
    info = section_types()[section].model_fields[field]
    return info.description or "", _range_in_words(name), info.default


def field_schema(name: str) -> list[dict[str, Any]]:
    """The alternatives of a field's JSON schema: a value has to fit one of them. Null is left out."""
    section, field = name.split(".")
    schema = _section_schema(section)[field]
    return [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]


@cache  # a command asks for every field, and making a section's schema takes milliseconds
def _section_schema(section: str) -> dict[str, Any]:
    properties: dict[str, Any] = section_types()[section].model_json_schema()["properties"]
    return properties


def parse_value(text: str) -> Any:
    """A command line's text as a value: a number (1e-3 too), true, false, null, a [list], or the text itself."""
    if re.fullmatch(r"[+-]?\d+", text):  # before float, so that a whole number stays one
        return int(text)
    words = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if text.startswith("["):
        try:
            return parse_yaml(text)
        except ValueError:
            return text
    try:
        return float(text)  # not by YAML, to which 1e-3 is text
    except ValueError:
        return text


def parse_field(name: str, text: str) -> Any:
    """A command line's text as a value of that field: as `parse_value`, but where the field takes text, it stays text.

    "none" is an option of some fields, and a folder may be called 2026.

    Raises:
        ValueError: a recipe has no such field.
    """
    check_field(name)
    parts = field_schema(name)
    if any(text in part.get("enum", ()) for part in parts):
        return text
    value = parse_value(text)
    return text if value is not None and all(part["type"] == "string" for part in parts) else value


def first_error(error: ValidationError) -> str:
    """The first complaint in one line: 'data.size: 2 is not a whole number at least 4 and at most 2048'."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if len(place) < 2:  # a check of several fields, whose message names them
        return str(first["msg"]).removeprefix("Value error, ")
    name = f"{place[0]}.{place[1]}"
    if first["type"] == "string_too_short":
        return f"{name}: empty; expected {_range_in_words(name)}, or leave it out"
    reason = f" ({first['ctx']['error']})" if first["type"] == "value_error" else ""
    options = [option for part in field_schema(name) for option in part.get("enum", ())]
    hint = f"; {nearest(str(first['input']), options)}" if options else ""
    return f"{name}: {quoted(first['input'])} is not {_range_in_words(name)}{reason}{hint}"


def _range_in_words(name: str) -> str:
    """From the JSON schema, so that help and errors cannot disagree with the check."""
    return " or ".join(_part_in_words(part) for part in field_schema(name))


def _part_in_words(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(part["enum"])
    numbers = part.get("items", part)
    limits = " and ".join(f"{words} {numbers[key]}" for key, words in _LIMITS.items() if key in numbers)
    count = f"{part['minItems']} to {part['maxItems']} " if "maxItems" in part else ""
    kind = f"a list of {count}numbers" if "items" in part else _KINDS[part["type"]]
    return f"{kind} {limits}".strip()
