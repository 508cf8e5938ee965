"""The shape of a study's plan as it is written: what each of its values must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from assay.base.numbers import is_count, is_number
from assay.base.text import quoted

Check = Callable[[Any], bool]


def is_key(value: Any) -> bool:
    """Whether the value is the key of a run in a store: the name of a folder, and never a path."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{16}", value) is not None


def check_plan(written: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` that names the first value of the plan that is missing or of another kind."""
    setting: Any = written.get("setting")
    rows = written.get("rows")
    _check("setting", {**_LATER, **setting} if isinstance(setting, dict) else setting, _SETTING)
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"rows: expected a list of rows, not {quoted(rows)}")
    for number, row in enumerate(rows, start=1):
        _check(f"row {number}", {"first_runs": {}, **row} if isinstance(row, dict) else row, _ROW)
        for name, first in row.get("first_runs", {}).items():
            _check(f"row {number}: first_runs: {name}", first, _FIRST_RUN)
        runs = {int(seed) for seed in row["runs"]}
        if runs not in (set(setting["seeds"]), set(setting.get("control_seeds") or setting["seeds"])):
            raise ValueError(f"row {number}: runs: expected one for each of the seeds {quoted(setting['seeds'])}")


def _check(where: str, values: Any, expected: Mapping[str, tuple[str, Check]]) -> None:
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: expected a mapping, not {quoted(values)}")
    for name, (words, fits) in expected.items():
        if not fits(values.get(name)):
            raise ValueError(f"{where}: {name}: expected {words}, not {quoted(values.get(name))}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _or_none(fits: Check) -> Check:
    return lambda value: value is None or fits(value)


def _are_seeds(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(map(is_count, value))


def _are_looks(value: Any) -> bool:
    return _are_seeds(value) and len(value) in (2, 3) and value == sorted(set(value))


def _are_runs(value: Any) -> bool:
    return _is_mapping(value) and all(seed.isdecimal() and is_key(key) for seed, key in value.items())


def _is_design(value: Any) -> bool:
    factors, levels = (value.get(name) if _is_mapping(value) else None for name in ("factors", "levels"))
    if not (_is_mapping(factors) and _is_mapping(levels) and factors and levels):
        return False
    return all(isinstance(pair, list) and len(pair) == 2 for pair in factors.values()) and all(
        isinstance(row, list) and len(row) == len(factors) and all(level in (0, 1) for level in row)
        for row in levels.values()
    )


_LATER: Mapping[str, Any] = {  # plans of earlier versions may lack them
    **dict.fromkeys(("changes", "hardware", "command", "code"), ""),
    "control_seeds": [],
    "repeats": [],
    "commits": [],
    "looks": [],
    "notes": [],
    "design": None,
}
_SETTING: Mapping[str, tuple[str, Check]] = {
    **dict.fromkeys(
        ("study", "purpose", "source", "protocol", "budget", "budget_in_words", "selection"), ("text", _is_text)
    ),
    **dict.fromkeys(("changes", "hardware", "command", "code"), ("text", _is_text)),
    "control_seeds": ("a list of seeds", lambda value: value == [] or _are_seeds(value)),
    "repeats": ("a list of accuracies", lambda value: isinstance(value, list) and all(map(is_number, value))),
    "commits": ("an empty list", lambda value: value == []),
    "looks": ("two or three growing numbers of seeds", lambda value: value == [] or _are_looks(value)),
    "notes": ("a list of texts", lambda value: isinstance(value, list) and all(map(_is_text, value))),
    "design": ("two values of each factor, and 0 or 1 for each in every row", _or_none(_is_design)),
    "control": ("text", _or_none(_is_text)),
    "seeds": ("a list of seeds", _are_seeds),
}
_ROW: Mapping[str, tuple[str, Check]] = {
    **dict.fromkeys(("name", "note"), ("text", _is_text)),
    "split": ("test or train", lambda value: value in ("test", "train")),
    "control": ("text", _or_none(_is_text)),
    **dict.fromkeys(("published", "seconds"), ("a number", _or_none(is_number))),
    **dict.fromkeys(("changes", "recipe"), ("a mapping of fields", _is_mapping)),
    "after": (
        "recipes by the field that takes them",
        lambda value: _is_mapping(value) and all(map(_is_mapping, value.values())),
    ),
    "first_runs": ("runs by the field that takes them", _is_mapping),
    "runs": ("keys of 16 hexadecimal digits by seed", _are_runs),
}
_FIRST_RUN: Mapping[str, tuple[str, Check]] = {
    "key": ("16 hexadecimal digits", is_key),
    "recipe": ("a mapping of fields", _is_mapping),
}
