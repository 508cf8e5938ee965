"""Tables of made-up runs."""

from dataclasses import replace

import numpy as np

from assay.recipe.recipe import Recipe
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.study import Row
from assay.studies.table import Table, make_table

SETTING = Setting("stem", "Which stem?", "R2 2.2.1", "one run", "full", "", "held-out", (0, 1, 2), "a")


def runs(*accuracies: float, **more) -> tuple[Result, ...]:
    """Finished runs of the seeds 0, 1, ..."""
    return tuple(
        Result(seed, accuracy, 1_330_000, 74_200_000, 190.0 + 2 * seed, 1000.0 + 100 * seed, **more)
        for seed, accuracy in enumerate(accuracies)
    )


def row(name: str, published: float | None, results=(), failures=None, **more) -> RowResults:
    return RowResults(Row(name, published=published, **more), Recipe(), tuple(results), failures or {})


def table_of(*rows: RowResults, margin: float = 1.0, **setting) -> Table:
    return make_table(StudyResults(replace(SETTING, **setting), rows), margin)


def verdicts(table: Table) -> list[str]:
    return [line.verdict for line in table.lines]


def answers(right: int, of: int = 1000, start: int = 0) -> np.ndarray:
    correct = np.zeros(of, bool)
    correct[start : start + right] = True
    return correct


CONTROL = row("a", 78.62, runs(70.0, 71.0, 72.0))
