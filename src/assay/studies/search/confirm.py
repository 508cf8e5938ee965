"""What the best recipe of a search is worth: it and the one before it, trained again with seeds that chose nothing."""

from __future__ import annotations

from collections.abc import Sequence

from assay.studies.plan import Plan, plan_study
from assay.studies.search.found import Found
from assay.studies.study import Row, Study

BEFORE, BEST = "as given", "best of the search"


def plan_confirmation(found: Found, seeds: Sequence[int], command: str = "") -> Plan:
    """A study of two rows, or of one where the search found nothing better than the recipe that it began with.

    Args:
        found: with a best trial.
        seeds: none of them the search's.
        command: what runs it again; stated with the results.

    Raises:
        ValueError: the seeds are not one or more different numbers.
    """
    assert found.best
    assert found.best_recipe
    changes = {name: best for name, (_, best) in found.base.differences(found.best_recipe).items()}
    study = Study(
        "search",
        "Is the best recipe of the search better than the one that it began with, on seeds that chose nothing?",
        found.base,
        (Row(BEFORE), *([Row(BEST, changes)] if changes else [])),
        control=BEFORE,
    )
    return plan_study(study, seeds=seeds, command=command)
