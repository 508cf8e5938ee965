"""Fractional factorial designs of two values a factor, and of resolution IV or more (Box, Hunter & Hunter 2005, ch. 6).

In a design of resolution IV no main effect is mixed with a two-factor interaction; two-factor interactions may be mixed
with one another.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.base.numbers import is_count
from assay.base.registry import nearest
from assay.base.text import quoted

MOST_FACTORS = 16
LEAST_RESOLUTION = 4
_MOST_WORDS = 200_000  # of all the sets of generators that are compared


@dataclass(frozen=True)
class Design:
    """A design of two values a factor.

    Attributes:
        factors: by field, its two values, the control's first.
        levels: by row, for each factor whether it has the control's value (0) or the other (1).
    """

    factors: Mapping[str, tuple[Any, Any]]
    levels: Mapping[str, tuple[int, ...]]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Design:
        """The inverse of ``dataclasses.asdict``, after JSON."""
        factors = {name: (first, second) for name, (first, second) in values["factors"].items()}
        return cls(factors, {row: tuple(own) for row, own in values["levels"].items()})


def fraction(factors: Sequence[str], generators: Any = None, runs: Any = None) -> list[tuple[int, ...]]:
    """Return the rows of a design, each with 0 or 1 for every factor; the row of zeros comes first.

    Args:
        factors: their names.
        generators: for each factor that is not varied freely, the names of at least three others whose product it
            follows: it is 1 where an odd number of them are. By default chosen so that as few two-factor interactions
            as possible are mixed (minimum aberration; Fries & Hunter 1980).
        runs: the number of rows, a power of 2; by default the fewest with resolution IV.

    Raises:
        ValueError: one line that names what was given, and the nearest design of resolution IV.
    """
    count = len(factors)
    if count > MOST_FACTORS:
        raise ValueError(f"factors: {count} are more than {MOST_FACTORS}, the most of design fractional")
    if generators is None:
        free = _free(count, runs)
        made = dict(zip(range(free, count), _chosen(count, free), strict=True))
    else:
        made = _given(factors, generators)
        _check_runs(runs, count - len(made))
        _check_resolution(factors, made)
    freely = [place for place in range(count) if place not in made]
    rows = []
    for values in itertools.product((0, 1), repeat=len(freely)):
        own = dict(zip(freely, values, strict=True))
        own |= {place: sum(own[one] for one in _places(mask)) % 2 for place, mask in made.items()}
        rows.append(tuple(own[place] for place in range(count)))
    return rows


def resolution(count: int, generators: Mapping[int, int]) -> int:
    """Return the length of the shortest defining word; one more than the factors where all combinations are run."""
    return min(_lengths(generators), default=count + 1)


def short_names(fields: Iterable[str]) -> dict[str, str]:
    """The last parts of fields' names, as ``lr``; those whose last parts are the same are given in full."""
    ends = {name: name.partition(".")[2] for name in fields}
    counts = Counter(ends.values())
    return {name: end if counts[end] == 1 else name for name, end in ends.items()}


def _free(count: int, runs: Any) -> int:
    """How many factors are varied freely: a resolution of IV takes half as many rows as factors, or more."""
    least = next(free for free in range(1, count + 1) if 2 ** (free - 1) >= count or free == count)
    if runs is None:
        return least
    sizes = [2**free for free in range(least, count + 1)]
    if runs not in sizes or not is_count(runs):
        close = min(sizes, key=lambda size: abs(size - runs)) if is_count(runs) else sizes[0]
        raise ValueError(
            f"runs: {quoted(runs)} rows of {count} factors are no design of resolution IV: expected "
            f"{' or '.join(map(str, sizes))}; did you mean {close}?"
        )
    return int(math.log2(runs))


def _check_runs(runs: Any, free: int) -> None:
    if runs is not None and runs != 2**free:
        raise ValueError(f"runs: these generators make {2**free} rows, not {quoted(runs)}; did you mean {2**free}?")


def _check_resolution(factors: Sequence[str], made: Mapping[int, int]) -> None:
    found, count = resolution(len(factors), made), len(factors)
    if found >= LEAST_RESOLUTION:
        return
    free = count - len(made)
    known = 2 ** (free - 1) >= count
    better = dict(zip(range(free, count), _chosen(count, free), strict=True)) if known else {}
    listed = "; ".join(
        f"{factors[place]}: {', '.join(factors[one] for one in _places(better[place]))}" for place in better
    )
    instead = f"generators {listed}" if known else f"runs {2 ** _free(count, None)}, without generators"
    raise ValueError(
        f"generators: resolution {'I' * found}, in which main effects are mixed with others or with two-factor "
        f"interactions; expected IV or more; did you mean {instead}?"
    )


def _given(factors: Sequence[str], generators: Any) -> dict[int, int]:
    """The generators as bits: for each generated factor's place, the places of the others."""
    if not isinstance(generators, Mapping):
        raise ValueError(f"generators: expected a mapping of factors to lists of others, not {quoted(generators)}")
    made = {}
    for name, others in generators.items():
        if not isinstance(others, list) or not others or len({*map(str, others)}) < len(others):
            raise ValueError(f"generators: {name}: expected a list of different factors, not {quoted(others)}")
        for one in (name, *others):
            if one not in factors:
                raise ValueError(f"generators: unknown factor {quoted(one)}: {nearest(str(one), factors)}")
        own = [one for one in others if one in generators]
        if own:
            free = [one for one in factors if one not in generators]
            raise ValueError(
                f"generators: {name}: {own[0]} is generated itself; choose from {', '.join(free) or 'none'}"
            )
        made[factors.index(name)] = sum(1 << factors.index(one) for one in others)
    return made


def _chosen(count: int, free: int) -> tuple[int, ...]:
    """The generators of the factors after the first ``free``, with the fewest short defining words."""
    wanted = count - free
    masks = [mask for mask in range(1 << free) if mask.bit_count() >= LEAST_RESOLUTION - 1]
    if math.comb(len(masks), wanted) * 2**wanted > _MOST_WORDS:
        # Products of an odd number of factors make words of even length, and so none of three.
        return tuple([mask for mask in masks if mask.bit_count() % 2][:wanted])

    def aberration(some: tuple[int, ...]) -> list[int]:
        counts = Counter(_lengths(dict(zip(range(free, count), some, strict=True))))
        return [counts[length] for length in range(1, count + 1)]

    return min(itertools.combinations(masks, wanted), key=aberration)


def _lengths(generators: Mapping[int, int]) -> list[int]:
    """The lengths of all defining words: the products of any of the generators, each with its factor."""
    words = [0]
    for place, mask in generators.items():
        words += [word ^ (mask | 1 << place) for word in words]
    return [word.bit_count() for word in words[1:]]


def _places(mask: int) -> list[int]:
    return [place for place in range(mask.bit_length()) if mask >> place & 1]
