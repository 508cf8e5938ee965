"""Runs of one recipe with different seeds: the mean of their curves, with the interval over the seeds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from assay.base.json_files import JsonObject
from assay.base.statistics import Estimate, estimate
from assay.pages.report.content import RunPart
from assay.run.folder import WITHOUT_EFFECT
from assay.run.record import RunRecord


@dataclass(frozen=True)
class SeedGroup:
    """Runs that differ in nothing but the seed, and in what changes no result.

    Attributes:
        key: unique in the page.
        name: what their names have in common, and how many they are.
        runs: two or more, a run for each seed.
    """

    key: str
    name: str
    runs: tuple[RunPart, ...]

    @property
    def records(self) -> list[RunRecord]:
        """Their records."""
        return [run.record for run in self.runs if run.record is not None]

    def rows(self, name: str) -> list[list[JsonObject]]:
        """The rows of a field by run, up to the last epoch that all of them have.

        Those that go on would otherwise stand for those that diverged or still train.
        """
        logs = [record.timings if name == "images_per_second" else record.metrics for record in self.records]
        shortest = min(len(log) for log in logs)
        return [list(log[:shortest]) for log in logs]

    def over_seeds(self, name: str, places: Sequence[int]) -> list[Estimate | None]:
        """The mean and the 95 % interval of a field in the epochs at those places; None where a run lacks it."""
        logs = self.rows(name)
        points: list[Estimate | None] = []
        for place in places:
            values = [value for log in logs if place < len(log) and (value := log[place].get(name)) is not None]
            points.append(estimate(values) if len(values) == len(logs) else None)
        return points


def seed_groups(runs: Sequence[RunPart]) -> list[SeedGroup]:
    """Return the groups of two seeds or more, in the order of their first runs."""
    found: dict[tuple[tuple[str, str], ...], dict[int, RunPart]] = {}
    for run in runs:
        if run.record is not None and run.record.metrics:
            recipe = run.record.recipe
            rest = {name: value for name, value in recipe.flat().items() if name not in {*WITHOUT_EFFECT, "train.seed"}}
            same = found.setdefault(tuple((name, repr(value)) for name, value in sorted(rest.items())), {})
            same.setdefault(recipe.train.seed, run)
    several = [tuple(own.values()) for own in found.values() if len(own) > 1]
    return [SeedGroup(f"seeds-{place}", _name(own), own) for place, own in enumerate(several, start=1)]


def _name(runs: Sequence[RunPart]) -> str:
    letters = itertools.takewhile(lambda many: len({*many}) == 1, zip(*(run.name for run in runs), strict=False))
    shared = "".join(one for one, *_ in letters)
    name = re.sub(r"[\W_]*(seeds?)?[\W_]*\d*$", "", shared, flags=re.IGNORECASE)
    return f"{name or runs[0].name}: mean of {len(runs)} seeds"
