"""From a study to the runs that it takes: rows times seeds, at a budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.choices import nearest
from assay.execution.store import Job
from assay.recipe import Recipe
from assay.run_folder import WITHOUT_EFFECT
from assay.studies.results import Setting
from assay.studies.study import Row, Study

BUDGETS = ("quick", "full")
SELECTIONS = ("held-out", "last", "test")
_HELD_OUT = 0.1  # of a recipe that holds nothing out, where the epoch is to be selected so


@dataclass(frozen=True)
class Plan:
    """The runs of a study.

    Attributes:
        study: what is run.
        setting: under what; every table states it.
        jobs: for each row's name, the job of each seed.
    """

    study: Study
    setting: Setting
    jobs: Mapping[str, Mapping[int, Job]]

    def order(self) -> list[Job]:
        """Every job once: all rows of the first seed, then of the second...; what others need stands before them."""
        wanted = [self.jobs[row.name][seed] for seed in self.setting.seeds for row in self.study.rows]
        return list({job.key: job for one in wanted for job in _with_those_before(one)}.values())


def plan_study(
    study: Study,
    *,
    budget: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    selection: str | None = None,
    changes: Mapping[str, Any] | None = None,
    command: str = "",
) -> Plan:
    """Plan a study.

    Args:
        study: what to run.
        budget: ``full`` is the published setting, ``quick`` the study's own proxy of it; by default
            ``quick`` where the study has one.
        seeds: of the runs of each row; the runs of one seed are a pair.
        selection: how the epoch is chosen: ``held-out``, ``last`` or ``test``; by default as the
            study's base says.
        changes: fields to change in every row, under dotted names.
        command: what runs it again; stated with the results.

    Raises:
        ValueError: no such budget or selection, a seed given twice, or a row's recipe is refused.
    """
    chosen = _budget(study, budget)
    if selection is not None and selection not in SELECTIONS:
        raise ValueError(f"unknown selection {selection!r}: {nearest(selection, SELECTIONS)}")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: {list(seeds)} are not one or more different numbers")
    settle = _Settle(study, chosen, selection, changes or {})
    jobs = {row.name: {seed: settle.job(row, seed) for seed in seeds} for row in study.rows}
    setting = Setting(
        study=study.name,
        purpose=study.purpose,
        source=study.source,
        protocol=study.protocol,
        budget=chosen,
        budget_in_words=study.quick.in_words(study.base.train.epochs) if chosen == "quick" and study.quick else "",
        selection=jobs[study.rows[0].name][seeds[0]].recipe.train.select,
        seeds=tuple(seeds),
        control=study.control,
        changes=", ".join(f"{name} {value}" for name, value in (changes or {}).items() if name not in WITHOUT_EFFECT),
        command=command,
    )
    return Plan(study, setting, jobs)


def _budget(study: Study, budget: str | None) -> str:
    if budget is None:
        return "quick" if study.quick else "full"
    if budget not in BUDGETS:
        raise ValueError(f"unknown budget {budget!r}: {nearest(budget, BUDGETS)}")
    if budget == "quick" and study.quick is None:
        raise ValueError(f"study {study.name} has no quick setting; choose --budget full")
    return budget


@dataclass(frozen=True)
class _Settle:
    """Brings a row's recipe to the setting of the whole study."""

    study: Study
    budget: str
    selection: str | None
    changes: Mapping[str, Any]

    def job(self, row: Row, seed: int) -> Job:
        recipe = self._selected(self._at_budget(self.study.recipe(row))).but({"train.seed": seed})
        return Job(recipe, {name: Job(self._at_budget(first)) for name, first in row.after.items()})

    def _at_budget(self, recipe: Recipe) -> Recipe:
        if self.budget == "quick" and self.study.quick:
            recipe = self.study.quick.apply(recipe, self.study.base.train.epochs)
        return recipe.but(self.changes)

    def _selected(self, recipe: Recipe) -> Recipe:
        if self.selection is None:
            return recipe
        needs_images = self.selection == "held-out" and not recipe.data.held_out
        held_out = _HELD_OUT if needs_images else recipe.data.held_out
        return recipe.but({"data.held_out": held_out, "train.select": self.selection})


def _with_those_before(job: Job) -> Iterator[Job]:
    for first in job.after.values():
        yield from _with_those_before(first)
    yield job
