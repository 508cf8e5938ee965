"""What of a study cannot work is said before anything runs."""

from __future__ import annotations

from functools import cache

import torch

from assay.data.load import Data
from assay.data.preprocess import Wanted
from assay.recipe.sections.data import DataSection
from assay.run.batches import open_data
from assay.run.build import check_recipe
from assay.studies.execution.store import Store
from assay.studies.plan import Plan


def check_rows(plan: Plan, store: Store) -> None:
    """Open the images of every row that has not run yet, and try whether its parts fit together.

    Raises:
        ValueError: names the first row that cannot run, and why.
    """

    @cache
    def images(section: DataSection) -> Data:
        return open_data(section, torch.device("cpu"), Wanted())

    for name, jobs in plan.jobs.items():
        job = next(iter(jobs.values()))
        if job.after or any(store.outcome(one) for one in jobs.values()):
            continue
        try:
            check_recipe(job.recipe, images(job.recipe.data))
        except ValueError as error:
            raise ValueError(f"study {plan.study.name}, row {name!r}: {error}") from None
        except (NotImplementedError, RuntimeError):  # a library's network that cannot be built without memory
            continue
