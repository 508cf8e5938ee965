"""Tables of constructors by name, and helpful errors for names that are not in them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from assay.base.text import quoted, shorten

T = TypeVar("T")
_LONGEST, _LONGEST_LIST = 200, 2000  # characters; names from files may be long and many
_MOST, _NEAREST = 30, 5  # of more choices, only the nearest are named


def nearest(name: str, choices: Iterable[str]) -> str:
    """Words for an error message: the closest of ``choices``, or all of them when none is close.

    Of more than 30 choices the 5 nearest are named in place of all.

    >>> nearest("restnet18", ["resnet18", "vgg16"])
    'did you mean resnet18?'
    """
    known = list(choices)
    if not known:
        return "there is none to choose"
    close = difflib.get_close_matches(name[:_LONGEST], known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    if len(known) > _MOST:
        some = difflib.get_close_matches(name[:_LONGEST], known, n=_NEAREST, cutoff=0)
        return f"the nearest of {len(known)} are {shorten(', '.join(some), _LONGEST_LIST)}"
    return f"choose from {shorten(', '.join(known), _LONGEST_LIST)}"


def choose(kind: str, name: str, table: Mapping[str, T]) -> T:
    """``table[name]``, or a ``ValueError`` that names the nearest valid choice."""
    if name not in table:
        raise ValueError(f"unknown {kind} {quoted(name)}: {nearest(str(name), table)}")
    return table[name]


def construct(kind: str, name: str, table: Mapping[str, Callable[..., T]], *args: Any, **options: Any) -> T:
    """Call ``table[name](*args, **options)`` without the options that are None.

    None means "the constructor's own default", so an option that the constructor does not
    have is never silently ignored.

    Raises:
        ValueError: the name is not in the table, the constructor has no such option, or an option
            that it needs is missing.
    """
    constructor = choose(kind, name, table)
    given = {key: value for key, value in options.items() if value is not None}
    known = dict(list(inspect.signature(constructor).parameters.items())[len(args) :])
    for key in given:
        if key not in known:
            others = [option for option in known if option not in given]  # what is given already is no choice
            raise ValueError(f"{kind} {name} has no option {key!r}: {nearest(key, others)}")
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in given:
            raise ValueError(f"{kind} {name} needs {key!r}")
    return constructor(*args, **given)


def foreign_options(name: str, table: Mapping[str, Callable[..., Any]], options: Iterable[str]) -> set[str]:
    """Return those of ``options`` that other constructors of the table have and ``table[name]`` does not."""
    known = {key: set(inspect.signature(constructor).parameters) for key, constructor in table.items()}
    return set(options) & set().union(*known.values()) - known[name]
