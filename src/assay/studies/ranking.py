"""Whether the rows of a study come in the same order elsewhere: at a larger budget, or in their source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.studies.collect import collect
from assay.studies.execution.store import Store
from assay.studies.folder import PLAN_FILE, folder_of, read_plan, store_of
from assay.studies.plan import BUDGETS, Plan
from assay.studies.results import StudyResults
from assay.studies.runs_file import runs_told
from assay.studies.table import PUBLISHED, Ranking

Floats = NDArray[np.float64]
Accuracies = Mapping[str, Sequence[float]]
"""of each row's runs, by the row's name"""

FEWEST_ROWS = 3
"""of fewer rows an order says nothing"""
_DRAWS = 2000


def rankings(plan: Plan, results: StudyResults, folder: Path) -> Iterator[Ranking]:
    """Compare the order of a study's rows with the published one, and with that at each larger budget.

    Args:
        plan: of the study, at a budget that is not altered, or there is no larger one.
        results: its runs.
        folder: the study's folder; those of other budgets lie beside it.
    """
    ours = _accuracies(results)
    published = {row.row.name: [row.row.published] for row in results.rows if row.row.published is not None}
    if about := rank(PUBLISHED, ours, published):
        yield about
    later = BUDGETS[BUDGETS.index(plan.setting.budget) + 1 :] if plan.setting.budget in BUDGETS else ()
    for budget in later:
        beside = folder_of(replace(plan, setting=replace(plan.setting, budget=budget)), folder.parent)
        if not (beside / PLAN_FILE).is_file():
            continue
        against = f"that at budget {budget}"
        try:
            about = rank(against, ours, _accuracies(_results(beside)))
        except ValueError as error:  # of another study's files, which must not cost this one its table
            about = Ranking(against, fault=str(error))
        if about:
            yield about


def rank(against: str, ours: Accuracies, theirs: Accuracies) -> Ranking | None:
    """Compare the order of the rows that both have; None where these are fewer than three.

    The interval is that of a bootstrap over the runs of each row (Efron & Tibshirani 1993, chapter 13). As so few runs
    vary less among themselves than about the true mean, their deviations are taken sqrt(n / (n - 1)) times as large.
    Published figures are taken as they are, for how much they vary is not known.

    Args:
        against: what ``theirs`` is, in words.
        ours: accuracies of the runs of each row.
        theirs: the same elsewhere.
    """
    names = [name for name in ours if ours[name] and theirs.get(name)]
    if len(names) < FEWEST_ROWS:
        return None
    generator = np.random.default_rng(0)
    sides = [[np.array(side[name], dtype=np.float64) for name in names] for side in (ours, theirs)]
    tau = float(kendall(*(np.array([one.mean() for one in side]) for side in sides)))
    low = high = math.nan
    drawn = [one for side in (sides if against != PUBLISHED else sides[:1]) for one in side]
    if min(map(len, drawn)) > 1 and not math.isnan(tau):
        taus = kendall(*(np.stack([_means(one, generator) for one in side], axis=-1) for side in sides))
        low, high = (float(end) for end in np.nanquantile(taus, [0.025, 0.975]))
    return Ranking(against, len(names), tau, low, high)


def kendall(values: Floats, others: Floats) -> Floats:
    """Return Kendall's tau-b of two orders (Kendall 1945, The treatment of ties in ranking problems).

    Args:
        values: of the rows, ``[..., rows]``.
        others: the same, elsewhere.

    Returns:
        From -1 (reversed) to 1 (the same order), ``[...]``; nan where all values of a side are equal.
    """
    first, second = np.triu_indices(values.shape[-1], k=1)
    ours, theirs = (np.sign(side[..., first] - side[..., second]) for side in (values, others))
    untied = np.abs(ours).sum(axis=-1) * np.abs(theirs).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.asarray((ours * theirs).sum(axis=-1) / np.sqrt(untied))


def _means(runs: Floats, generator: np.random.Generator) -> Floats:
    """Draw as many of a row's runs with replacement, again and again, and return the means, ``[draws]``."""
    if len(runs) == 1:
        return np.full(_DRAWS, runs[0])
    deviations = (runs - runs.mean()) * math.sqrt(len(runs) / (len(runs) - 1))
    drawn: Floats = runs.mean() + generator.choice(deviations, (_DRAWS, len(runs))).mean(axis=1)
    return drawn


def _results(folder: Path) -> StudyResults:
    plan = read_plan(folder)
    return collect(plan, Store(store_of(folder.parent).root, runs_told(plan, folder)[0]))


def _accuracies(results: StudyResults) -> dict[str, list[float]]:
    return {row.row.name: list(row.counted.values()) for row in results.rows if row.row.split == "test"}
