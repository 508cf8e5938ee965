"""A user's own study, from a YAML file.

Its layout::

    purpose: Does cutout help the simple network?  # optional
    base: simple-cnn           # a named recipe, a recipe's YAML file or a run folder (from this file on), or sections
    changes: {train.epochs: 5} # optional: to the base, for all rows; what hangs on them follows, as in training
    design: grid               # every combination; one-at-a-time: each value against the control; or fractional
    factors:
      optim.lr: [0.01, 0.02, 0.05]
      augment.cutout: [0, 8]
    control: {optim.lr: 0.01}  # optional: a factor that it leaves out stands at its first value
    quick: {epochs: 3, images: 10000, width: 0.25, changes: {}}  # optional, as is each of its keys
    published: {"lr 0.02, cutout 8": 65.4}  # optional: accuracies in percent, by row
    source: my notes           # optional: where these stand

With ``design: fractional`` each factor has two values, and the rows are a part of all combinations: ``runs`` of them, a
power of 2, or those of ``generators``, as ``{augment.cutout: [optim.lr, optim.momentum, augment.flip]}``.

With ``design: list`` the rows stand in place of the factors, each with the fields that it changes;
the control is then the name of one, by default of the first. A row is the run of ``assay train`` with the base and
these fields, so what hangs on them follows too: a row of fewer epochs has a shorter warmup, unless it names one::

    design: list
    rows:
      plain:
      tuned: {optim.lr: 0.02, augment.cutout: 8}
    control: plain
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.base.numbers import is_number
from assay.base.registry import choose, nearest
from assay.base.strict_yaml import read_yaml
from assay.base.text import quoted, shorten
from assay.recipe.fields import check_field
from assay.recipe.named import RECIPES, find_recipe
from assay.recipe.recipe import Recipe
from assay.run.adapt import adapt
from assay.studies.factorial.design import Design, fraction, short_names
from assay.studies.proxy import Proxy
from assay.studies.study import Row, Study

Fields = dict[str, Any]
Factors = dict[str, list[Any]]

_MOST_ROWS = 1000
_KEYS = (
    *("purpose", "source", "base", "changes", "design", "factors", "generators", "runs", "rows", "control", "quick"),
    "published",
)
_FRACTIONAL = "fractional"


def read_study(path: Path) -> Study:
    """Return the study of a YAML file, under the file's name, with the recipe of every row checked.

    Raises:
        ValueError: one line that names the file, the error in it, what was expected and the nearest valid choice.
    """
    with _prefixed(str(path)):
        try:
            values = _mapping(read_yaml(path), "key", _KEYS)
        except FileNotFoundError:
            raise ValueError("no such study file") from None
        except OSError as error:
            raise ValueError(error.strerror) from None
        return _study(path, values)


def _study(path: Path, values: Fields) -> Study:
    base, notes = _base(values, path.parent)
    rows, control, design = _ROWS[_design(values)](values)
    if len(rows) > _MOST_ROWS:
        raise ValueError(f"more than {_MOST_ROWS:,} rows: leave out factors, values or rows")
    purpose, source = (_text(key, values.get(key, "")) for key in ("purpose", "source"))
    published = _published(values, [row.name for row in rows])
    quick, whole_rows = _quick(values, base), []
    for row in rows:
        with _prefixed(f"study {path.stem}, row {quoted(row.name)}"):
            adapted = adapt(base, row.changes)
        whole_rows.append(replace(row, changes=adapted.changes, published=published.get(row.name)))
        notes += [f"row {quoted(row.name)}: {note}" for note in adapted.notes]
        if quick:
            with _prefixed(f"quick, row {quoted(row.name)}"):
                quick.apply(adapted.recipe, base.train.epochs)
    return Study(
        path.stem, purpose, base, tuple(whole_rows), control, source=source, quick=quick, notes=tuple(notes),
        design=design,
    )  # fmt: skip


def _base(values: Fields, folder: Path) -> tuple[Recipe, list[str]]:
    """Return the base with the changes for all rows, and notes on what followed from them."""
    base = values.get("base")
    if not base:
        raise ValueError("base is missing: a named recipe, a recipe's YAML file, a run folder, or sections")
    with _prefixed("base"):
        if isinstance(base, dict):
            recipe = Recipe.from_dict(base)
        elif isinstance(base, str):
            beside = folder / Path(base).expanduser()
            is_path = base not in RECIPES and (beside.is_dir() or beside.suffix in (".yaml", ".yml"))
            recipe = find_recipe(beside if is_path else base)[1]
        else:
            raise ValueError(f"expected a recipe's name, file or sections, not {quoted(base)}")
    with _prefixed("changes"):
        adapted = adapt(recipe, _fields(values.get("changes")))
    return adapted.recipe, [f"base: {note}" for note in adapted.notes]


def _design(values: Fields) -> str:
    """Return the design's name; raise ``ValueError`` unless the file has just the keys that the design takes."""
    design = _text("design", values.get("design", "list" if "rows" in values else "grid"))
    choose("design", design, _ROWS)
    needed, other = ("rows", "factors") if design == "list" else ("factors", "rows")
    if other in values:
        raise ValueError(f"design {design} takes {needed}, not {other}")
    if not values.get(needed):
        raise ValueError(f"design {design} needs {needed}")
    for key in ("generators", "runs"):
        if key in values and design != _FRACTIONAL:
            raise ValueError(f"design {design} takes no {key}; did you mean design {_FRACTIONAL}?")
    return design


def _listed(values: Fields) -> tuple[list[Row], str, None]:
    """Return the listed rows, and the control's name."""
    rows = []
    for name, changes in _mapping(values["rows"], "row").items():
        with _prefixed(f"row {quoted(name)}"):
            rows.append(Row(name, _fields(changes)))
    return rows, _text("control", values.get("control", rows[0].name)), None


def _factors(values: Fields) -> tuple[Factors, Fields]:
    """Return the values of each factor, and those of the control."""
    with _prefixed("factors"):
        factors = {name: _levels(name, levels) for name, levels in _fields(values["factors"]).items()}
    with _prefixed("control"):
        given = _mapping(values.get("control") or {}, "factor", factors)
        return factors, {name: levels[0] for name, levels in factors.items()} | _fields(given)


def _designed(values: Fields) -> tuple[list[Row], str, None]:
    """Return the control and the design's other rows, and the control's name."""
    factors, control = _factors(values)
    first = Row(_name(control, factors), control)
    # A grid can have billions of rows: take just enough to see that they are too many, also without the control.
    changes = itertools.islice(DESIGNS[values.get("design", "grid")](factors), _MOST_ROWS + 2)
    rows = [Row(_name(changed, factors), {**control, **changed}) for changed in changes]
    return [first, *(row for row in rows if row.changes != control)], first.name, None


def _fractional(values: Fields) -> tuple[list[Row], str, Design]:
    """Return the rows of a design of two values a factor, the control's first, its name, and the design."""
    factors, control = _factors(values)
    pairs = {}
    for name, levels in factors.items():
        if len(levels) != 2:
            raise ValueError(f"factors: {name}: expected two values for design {_FRACTIONAL}, not {len(levels)}")
        if control[name] not in levels:
            raise ValueError(f"control: {name}: expected {levels[0]} or {levels[1]}, not {quoted(control[name])}")
        pairs[name] = (control[name], levels[control[name] == levels[0]])
    rows, bits = [], {}
    for row in fraction(list(pairs), values.get("generators"), values.get("runs")):
        changes = {name: pairs[name][bit] for name, bit in zip(pairs, row, strict=True)}
        rows.append(Row(_name(changes, pairs), changes))
        bits[rows[-1].name] = row
    return rows, rows[0].name, Design(pairs, bits)


def _levels(name: str, levels: Any) -> list[Any]:
    """Return a factor's values; raise ``ValueError`` unless they are a list of different ones."""
    if not isinstance(levels, list) or not levels:
        raise ValueError(f"{name}: expected a list of values, not {quoted(levels)}")
    if len(levels) > _MOST_ROWS:
        raise ValueError(f"{name}: more than {_MOST_ROWS:,} values")
    values = [_number(level) for level in levels]
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{name}: {shorten(str(value), 120)} is given twice")
    return values


DESIGNS: dict[str, Callable[[Factors], Iterator[Fields]]] = {
    "grid": lambda factors: (
        dict(zip(factors, values, strict=True)) for values in itertools.product(*factors.values())
    ),
    "one-at-a-time": lambda factors: ({name: value} for name, values in factors.items() for value in values),
}
"""For each design the changes of its rows to the control, after which the rows are named."""
_ROWS: dict[str, Callable[[Fields], tuple[list[Row], str, Design | None]]] = {
    **dict.fromkeys(DESIGNS, _designed),
    _FRACTIONAL: _fractional,
    "list": _listed,
}


def _name(fields: Fields, factors: Iterable[str]) -> str:
    """Name a row, as ``lr 0.02, cutout 8``; fields whose last parts are the same are given in full."""
    shown = short_names(factors)
    words = {
        name: value if isinstance(value, str) else json.dumps(value, default=str) for name, value in fields.items()
    }
    return ", ".join(f"{shown[name]} {value}" for name, value in words.items())


def _quick(values: Fields, base: Recipe) -> Proxy | None:
    if values.get("quick") is None:
        return None
    with _prefixed("quick"):
        given = _mapping(values["quick"], "key", ("epochs", "images", "images_of", "width", "changes"))
        return Proxy(**{"epochs": base.train.epochs, **given, "changes": _fields(given.get("changes"))})


def _published(values: Fields, rows: list[str]) -> Fields:
    """Return the published accuracies of rows, in percent."""
    with _prefixed("published"):
        figures = _mapping(values.get("published") or {}, "row", rows)
        for name, figure in figures.items():
            if not is_number(figure) or not 0 <= figure <= 100:
                raise ValueError(f"{name}: {quoted(figure)} is not a number at least 0 and at most 100")
    return figures


def _fields(values: Any) -> Fields:
    """Return values under the dotted names of a recipe's fields; None, which YAML reads from a bare key, is empty."""
    fields = _mapping({} if values is None else values, "field")
    for name in fields:
        check_field(name)
    if "train.seed" in fields:
        raise ValueError("train.seed: a study runs every row with seeds of its own")
    return {name: _number(value) for name, value in fields.items()}


def _mapping(values: Any, kind: str, known: Iterable[str] | None = None) -> Fields:
    """Return a mapping with its keys as text; raise ``ValueError`` for a key that is not among the known ones."""
    if not isinstance(values, Mapping):
        raise ValueError(f"expected a mapping, not {quoted(values)}")
    names = {str(name): value for name, value in values.items()}
    for name in names:
        if known is not None and name not in known:
            raise ValueError(f"unknown {kind} {quoted(name)}: {nearest(name, known)}")
    return names


def _number(value: Any) -> Any:
    """Return a number for text such as ``1e-3``, which YAML 1.1 does not read as one without a point."""
    is_scientific = isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?e[+-]?\d+", value, re.IGNORECASE)
    return float(value) if is_scientific else value


def _text(thing: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{thing}: expected text, not {quoted(value)}")
    return value


@contextmanager
def _prefixed(thing: str) -> Iterator[None]:
    """Put the thing that is being read before the text of a ``ValueError``."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{thing}: {error}") from None
