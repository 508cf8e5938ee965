"""Main effects and two-factor interactions of a design of two values a factor, tested with moderated variances."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.base.moderated import Contrast, Rows, moderate
from assay.base.statistics import holm
from assay.studies.factorial.design import Design, short_names
from assay.studies.results import RowResults
from assay.studies.verdict import CANNOT_TELL, FEWEST_RUNS, HELPS, HURTS, LEVEL

Floats = NDArray[np.float64]
MAIN, INTERACTION = "main effect", "interaction"
INTERACT = "interact"


@dataclass(frozen=True)
class Effect:
    """An effect in percentage points, nan where there are too few runs.

    Attributes:
        kind: ``main effect`` or ``interaction``.
        name: of a main effect the factor with its two values; of an interaction the two factors.
        aliases: two-factor interactions that these rows cannot tell from it.
        points: of a main effect, how much the accuracy rises from the control's value to the other, over all
            combinations of the other factors; of an interaction, half of how much one factor's effect differs between
            the two values of the other.
        low: lower end of the 95 % interval.
        high: upper end of it.
        p: p value of the test that it is 0, corrected by Holm over the effects of its kind.
        verdict: ``helps`` or ``hurts`` of a main effect, ``interact``, or ``cannot be told``.
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    points: float
    low: float
    high: float
    p: float
    verdict: str = CANNOT_TELL


def effects(design: Design, rows: Sequence[RowResults], deviation: float) -> tuple[Effect, ...]:
    """Return the main effects, and each set of two-factor interactions that the design tells apart.

    Args:
        design: of these rows.
        rows: their runs; without a run of each there are no effects.
        deviation: the standard deviation of rows of other tables, in percentage points.
    """
    values = [np.array([*row.counted.values()], dtype=np.float64) for row in rows if row.row.name in design.levels]
    if len(values) < len(design.levels) or not all(map(len, values)):
        return ()
    n = np.array([len(one) for one in values])
    variance = np.array([one.var(ddof=1) if len(one) > 1 else math.nan for one in values])
    moderated = moderate(np.array([one.mean() for one in values]), variance, n, deviation)
    signs = 2.0 * np.array([design.levels[row.row.name] for row in rows if row.row.name in design.levels]) - 1
    main = _tested(moderated, signs, [(name, ()) for name in _factors_in_words(design)], MAIN)
    columns, names = interactions(signs, list(short_names(design.factors).values()))
    both = [*main, *(_tested(moderated, columns, names, INTERACTION) if names else [])]
    return tuple(both if n.min() >= FEWEST_RUNS else [replace(one, verdict=CANNOT_TELL) for one in both])


def interactions(signs: Floats, names: Sequence[str]) -> tuple[Floats, list[tuple[str, tuple[str, ...]]]]:
    """Return the columns of the two-factor interactions, ``[rows, sets]``, with the name of each and its aliases.

    Args:
        signs: -1 and 1 for the two values of each factor, ``[rows, factors]``.
        names: of the factors.
    """
    sets: dict[bytes, tuple[Floats, list[str]]] = {}
    for one, other in itertools.combinations(range(len(names)), 2):
        column = signs[:, one] * signs[:, other]
        # The row of the control is in every design, so a word of four letters, which mixes two of them, is positive.
        sets.setdefault(column.tobytes(), (column, []))[1].append(f"{names[one]} x {names[other]}")
    columns = [column for column, _ in sets.values()]
    listed = [(first, tuple(others)) for _, (first, *others) in sets.values()]
    return np.stack(columns, axis=-1) if columns else np.empty((len(signs), 0)), listed


def contrasts(rows: Rows, signs: Floats) -> Contrast:
    """Return each column's effect: the mean of the rows with 1 less that of the rows with -1.

    The degrees of freedom are Satterthwaite's (1946) for the sum of all rows' variances.

    Args:
        rows: means and moderated variances, ``[..., rows]``.
        signs: -1 and 1, each as often in every column, ``[rows, effects]``.
    """
    parts = rows.variance / rows.n
    total = parts.sum(axis=-1, keepdims=True)
    freedom = total**2 / (parts**2 / rows.freedom).sum(axis=-1, keepdims=True)
    mean = 2 * rows.mean @ signs / len(signs)
    error = 2 * np.sqrt(total) / len(signs)
    return Contrast(mean, np.broadcast_to(error, mean.shape), np.broadcast_to(freedom, mean.shape))


def _tested(rows: Rows, signs: Floats, names: Sequence[tuple[str, tuple[str, ...]]], kind: str) -> list[Effect]:
    made = contrasts(rows, signs)
    low, high = made.interval()
    found = []
    for place, ((name, aliases), p) in enumerate(zip(names, holm([float(p) for p in made.p]), strict=True)):
        points = float(made.mean[place])
        said = CANNOT_TELL
        if p < LEVEL:
            said = INTERACT if kind == INTERACTION else HELPS if points > 0 else HURTS
        found.append(Effect(kind, name, aliases, points, float(low[place]), float(high[place]), p, said))
    return found


def _factors_in_words(design: Design) -> list[str]:
    short = short_names(design.factors)
    return [f"{short[name]}: {second} for {first}" for name, (first, second) in design.factors.items()]
