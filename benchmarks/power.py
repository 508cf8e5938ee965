"""Error rates and power of a study's verdicts, on simulated tables whose truth is known; for docs/statistics.md.

python benchmarks/power.py                     all cases, 20,000 tables each: minutes
python benchmarks/power.py --tables 500        a rough look

Accuracies are normal around 62 %; a lost run has 10 %. Of a table's rows the first is the control. A false claim is a
"helps" or "hurts" of any row, where all rows equal the control, or a "makes no difference of 1 point", where all
differ from it by just 1 point.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from tabulate import tabulate

from assay.base.moderated import PRIOR_FREEDOM, Contrast, Floats, contrast, moderate
from assay.studies.factorial.design import fraction
from assay.studies.factorial.effects import contrasts, interactions
from assay.studies.prior import prior_deviation
from assay.studies.verdict import LEVEL, SPENT

USUAL, LOST = 62.0, 10.0  # accuracies in percent, of a run that learns and of one that diverges
SEEDS = ((3, 3), (3, 10), (5, 5), (5, 10), (10, 10))  # of a row, of the control
LOOKS = ((3, 5, 10), (3, 10), (5, 10))  # of sequential plans
DESIGNS = {"2^3": 3, "2^(4-1)": 4, "2^(6-2)": 6, "2^(8-4)": 8}  # factors of fractional factorial designs


class Cell(NamedTuple):
    """A kind of table: standard deviations of the control and of the rows, their seeds, the share of lost runs."""

    deviations: tuple[float, ...]
    seeds: int
    control_seeds: int
    lost: float = 0.0


def cases(rows: int) -> dict[str, tuple[float, ...]]:
    """The deviations of a table of so many rows, in points, by the case's name."""
    half = rows // 2
    return {
        "all 0.25": (0.25,) * (rows + 1),
        "all 0.8": (0.8,) * (rows + 1),
        "all 2": (2.0,) * (rows + 1),
        "all 8": (8.0,) * (rows + 1),
        "0.25 to 8": (0.8, *(0.25 * 32 ** (place / (rows - 1)) for place in range(rows))),
        "quiet control, rows 0.8": (0.25, *(0.8,) * rows),
        "quiet control, rows 2": (0.25, *(2.0,) * rows),
        "quiet control, rows 8": (0.25, *(8.0,) * rows),
        "wild control": (8.0, *(0.8,) * rows),
        "one wild row": (*(0.8,) * rows, 8.0),
        "half of the rows 4": (*(0.8,) * (half + 1), *(4.0,) * (rows - half)),
        "half of the rows 8": (*(0.8,) * (half + 1), *(8.0,) * (rows - half)),
    }


def null_cells(name: str) -> Iterator[Cell]:
    """All tables of a case: 4 and 8 rows, all numbers of seeds, no runs lost, 3 % and 10 %."""
    for rows, seeds, lost in itertools.product((4, 8), SEEDS, (0.0, 0.03, 0.1)):
        yield Cell(cases(rows)[name], *seeds, lost)


def draw(cell: Cell, difference: float, tables: int, generator: np.random.Generator) -> list[Floats]:
    """Accuracies of the control and of each row, ``[tables, seeds]``; the rows lie ``difference`` points above it."""
    drawn = []
    for place, deviation in enumerate(cell.deviations):
        shape = tables, cell.seeds if place else cell.control_seeds
        values = USUAL + difference * (place > 0) + deviation * generator.standard_normal(shape)
        lost = generator.random(shape) < cell.lost
        drawn.append(np.where(lost, LOST + difference * (place > 0), values))
    return drawn


def judged(drawn: list[Floats], prior: float = PRIOR_FREEDOM) -> Contrast:
    """Each row against the control, ``[tables, rows]``."""
    mean, variance = (np.stack(about, axis=-1) for about in zip(*map(_moments, drawn), strict=True))
    n = np.array([values.shape[-1] for values in drawn], dtype=np.float64)
    return contrast(moderate(mean, variance, n, prior_deviation(), prior), slice(1, None), 0)


def _moments(values: Floats) -> tuple[Floats, Floats]:
    return values.mean(axis=-1), values.var(axis=-1, ddof=1)


def false_claims(cell: Cell, tables: int, generator: np.random.Generator, margin: float = 0.0) -> float:
    """The share of tables with a false claim: of a difference, or with a margin that there is none so large.

    Holm's correction rejects something where the smallest p value, times the number of rows, is below the level.
    """
    made = judged(draw(cell, margin, tables, generator))
    p = made.p_equivalent(margin) if margin else made.p
    return float(np.mean(p.min(axis=-1) * p.shape[-1] < LEVEL))


def sequential_claims(
    cell: Cell, looks: Sequence[int], tables: int, generator: np.random.Generator, margin: float = 0.0
) -> tuple[float, float]:
    """As `false_claims`, with a sequential plan: rows that are decided at a look get no more seeds.

    Returns:
        The share of tables with a false claim at any look, and the mean number of seeds of a row.
    """
    drawn = draw(cell, margin, tables, generator)
    mean, variance = (np.stack(about, axis=-1) for about in zip(*map(_moments, drawn), strict=True))
    n = np.full(mean.shape, cell.control_seeds, dtype=np.float64)
    decided, is_false = np.zeros((tables, len(drawn) - 1), bool), np.zeros(tables, bool)
    for look, spent in zip(looks, SPENT[len(looks)], strict=True):
        now = [_moments(values[:, :look]) for values in drawn[1:]]
        for about, place in ((mean, 0), (variance, 1)):
            fresh = np.stack([moments[place] for moments in now], axis=-1)
            about[:, 1:] = np.where(decided, about[:, 1:], fresh)
        n[:, 1:] = np.where(decided, n[:, 1:], look)
        made = contrast(moderate(mean, variance, n, prior_deviation()), slice(1, None), 0)
        differ, equal = (_holm(p) < spent for p in (made.p, made.p_equivalent(1.0)))
        is_false |= ((equal if margin else differ) & ~decided).any(axis=-1)
        decided |= differ | equal
    return float(is_false.mean()), float(n[:, 1:].mean())


def _holm(p: Floats) -> Floats:
    """Holm's correction over the last axis."""
    order = np.argsort(p, axis=-1)
    steps = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(1.0, np.maximum.accumulate(steps, axis=-1)), axis=-1)
    return adjusted


def false_interactions(factors: int, cell: Cell, tables: int, generator: np.random.Generator) -> float:
    """The share of tables of a design with a false interaction; the control is the first of its rows."""
    names = [f"factor {place}" for place in range(factors)]
    columns, _ = interactions(2.0 * np.array(fraction(names)) - 1, names)
    drawn = draw(cell, 0.0, tables, generator)
    mean, variance = (np.stack(about, axis=-1) for about in zip(*map(_moments, drawn), strict=True))
    n = np.array([values.shape[-1] for values in drawn], dtype=np.float64)
    p = contrasts(moderate(mean, variance, n, prior_deviation()), columns).p
    return float(np.mean(p.min(axis=-1) * p.shape[-1] < LEVEL))


def coverage(cell: Cell, tables: int, generator: np.random.Generator) -> float:
    """The share of 95 % intervals that hold the true difference."""
    low, high = judged(draw(cell, 0.0, tables, generator)).interval()
    return float(np.mean((low <= 0) & (high >= 0)))


def power(cell: Cell, difference: float, tables: int, generator: np.random.Generator) -> tuple[float, float]:
    """How often a row that differs while the others do not is seen, by our test and by the paired t-test."""
    control, row, *others = draw(cell, 0.0, tables, generator)
    drawn = [control, row + difference, *others]
    comparisons = len(drawn) - 1  # Holm's first step, which the row must pass while the others pass none
    ours = judged(drawn).p[:, 0] * comparisons < LEVEL
    paired = stats.ttest_rel(drawn[1], control[:, : cell.seeds], axis=-1).pvalue * comparisons < LEVEL
    return float(ours.mean()), float(paired.mean())


def equivalence_power(cell: Cell, tables: int, generator: np.random.Generator) -> float:
    """How often a row that equals the control is said to make no difference of 1 point."""
    p = judged(draw(cell, 0.0, tables, generator)).p_equivalent(1.0)
    return float(np.mean(p[:, 0] * p.shape[-1] < LEVEL))


def errors_table(tables: int, generator: np.random.Generator) -> str:
    """The largest share of tables with a false claim over the cells of each case, and the range of the coverage."""
    lines = []
    for name in cases(4):
        cells = list(null_cells(name))
        of = {lost: [cell for cell in cells if cell.lost == lost] for lost in (0.0, 0.03, 0.1)}
        shares = [max(false_claims(cell, tables, generator) for cell in some) for some in of.values()]
        equal = max(false_claims(cell, tables, generator, margin=1.0) for cell in cells)
        covered = [[coverage(cell, tables // 4, generator) for cell in some] for some in of.values()]
        kept, lossy = covered[0], [*covered[1], *covered[2]]
        lines.append(
            [name, *(f"{share:.3f}" for share in (*shares, equal)),
             *(f"{100 * min(some):.1f} to {100 * max(some):.1f} %" for some in (kept, lossy))]
        )  # fmt: skip
    titles = [
        "deviations (points)",
        "no run lost",
        "3 % lost",
        "10 % lost",
        "no difference",
        "coverage",
        "with lost runs",
    ]
    return str(tabulate(lines, titles, tablefmt="pipe", disable_numparse=True))


def interactions_table(tables: int, generator: np.random.Generator) -> str:
    """The largest share of tables with a false interaction, over all numbers of seeds."""
    lines = []
    for name in cases(4):
        texts = []
        for factors in DESIGNS.values():
            deviations = cases(len(fraction([*map(str, range(factors))])) - 1)[name]
            cells = [Cell(deviations, *seeds) for seeds in SEEDS]
            texts.append(f"{max(false_interactions(factors, cell, tables, generator) for cell in cells):.3f}")
        lines.append([name, *texts])
    return str(tabulate(lines, ["deviations (points)", *DESIGNS], tablefmt="pipe", disable_numparse=True))


def looks_table(tables: int, generator: np.random.Generator) -> str:
    """The largest share of tables with a false claim at any look, over 4 and 8 rows and the shares of lost runs."""
    lines = []
    for name in cases(4):
        texts = []
        for looks in LOOKS:
            some = [Cell(cases(rows)[name], looks[-1], 10, lost) for rows in (4, 8) for lost in (0.0, 0.03, 0.1)]
            texts.append(f"{max(sequential_claims(cell, looks, tables, generator)[0] for cell in some):.3f}")
        equal = (sequential_claims(cell, LOOKS[0], tables, generator, margin=1.0)[0] for cell in some[::3])
        lines.append([name, *texts, f"{max(equal):.3f}"])
    titles = ["deviations (points)", *(", ".join(map(str, looks)) for looks in LOOKS), "no difference, 3, 5, 10"]
    return str(tabulate(lines, titles, tablefmt="pipe", disable_numparse=True))


def power_table(tables: int, generator: np.random.Generator) -> str:
    """Power for differences of 1, 2 and 5 points, and for the verdict that there is no difference of 1 point."""
    lines = []
    for rows, deviation, seeds in itertools.product((4, 8), (0.4, 0.8, 2.0), SEEDS):
        cell = Cell((deviation,) * (rows + 1), *seeds)
        found = [power(cell, difference, tables, generator) for difference in (1.0, 2.0, 5.0)]
        texts = [f"{100 * ours:.0f} % ({100 * paired:.0f} %)" for ours, paired in found]
        equal = f"{100 * equivalence_power(cell, tables, generator):.0f} %"
        lines.append([rows, f"{deviation:g}", f"{seeds[0]} / {seeds[1]}", *texts, equal])
    titles = ["rows", "deviation", "seeds / control's", "1 point", "2 points", "5 points", "no difference of 1"]
    return str(tabulate(lines, titles, tablefmt="pipe", disable_numparse=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=20_000, metavar="N", help="of each kind (default: 20,000)")
    tables = parser.parse_args().tables
    generator = np.random.default_rng(0)
    print(f"Standard error of a share of 5 %: {math.sqrt(0.05 * 0.95 / tables):.4f}\n")
    print(
        errors_table(tables, generator),
        power_table(tables, generator),
        looks_table(tables, np.random.default_rng(0)),
        interactions_table(tables, np.random.default_rng(0)),
        sep="\n\n",
    )


if __name__ == "__main__":
    main()
