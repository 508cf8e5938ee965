"""The confirmation of a search: the given and the best recipe, trained again with seeds that chose nothing."""

from __future__ import annotations

from collections.abc import Sequence

from assay.studies.plan import Plan, plan_study
from assay.studies.search.result import SearchResult
from assay.studies.study import Row, Study

BEFORE, BEST = "as given", "best of the search"


def plan_confirmation(result: SearchResult, seeds: Sequence[int], command: str = "") -> Plan:
    """Plan a study of two rows, or of one if the search found nothing better than the recipe that it began with.

    Args:
        result: of a search that has a best trial.
        seeds: of the runs; none of them is the search's.
        command: repeats the search; stated with the results.

    Raises:
        ValueError: there is no seed, or two are equal.
    """
    assert result.best_recipe
    changes = {name: best for name, (_, best) in result.base.differences(result.best_recipe).items()}
    study = Study(
        "search",
        "Is the best recipe of the search better than the one that it began with, on seeds that chose nothing?",
        result.base,
        (Row(BEFORE), *([Row(BEST, changes)] if changes else [])),
        control=BEFORE,
    )
    return plan_study(study, seeds=seeds, command=command)
