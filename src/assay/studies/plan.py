"""The plan of a study: the runs of its rows and seeds, at a budget."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.base.registry import nearest
from assay.base.text import quoted
from assay.recipe.recipe import Recipe
from assay.run.folder import WITHOUT_EFFECT
from assay.run.lengths import scaled_lengths
from assay.run.precision import stated
from assay.studies.execution.code_version import code_version
from assay.studies.execution.store import Job
from assay.studies.proxy import Proxy
from assay.studies.results import Setting
from assay.studies.study import Row, Study
from assay.studies.verdict import FEWEST_RUNS

BUDGETS = ("quick", "medium", "full")
SELECTIONS = ("held-out", "last", "test")
MOST_SEEDS = 1000
CONTROL_SEEDS = 10
MEDIUM_EPOCHS = 30
_HELD_OUT = 0.1  # share of the training images for a held-out selection, where the recipe holds out none
# Fields that change how a run is computed and not what: a budget with these changed is not altered.
_HOW_ONLY = WITHOUT_EFFECT | {"train.threads", "train.device", "train.channels_last", "train.compile", "data.memory"}


@dataclass(frozen=True)
class Plan:
    """The runs of a study.

    Attributes:
        setting: the conditions, which every table states.
        jobs: for each row's name, the job of each seed.
    """

    study: Study
    setting: Setting
    jobs: Mapping[str, Mapping[int, Job]]

    def order(self) -> list[Job]:
        """Return every job once: all rows of the first seed, then of the second, each after its preparatory runs."""
        # Seeds come outermost, so that a study that is interrupted has compared all rows on some seeds.
        seeds = self.setting.seeds_of(is_control=True)  # which begin with those of the other rows
        wanted = [jobs[seed] for seed in seeds for row in self.study.rows if seed in (jobs := self.jobs[row.name])]
        return list({job.key: job for one in wanted for job in _with_preparatory(one)}.values())


def plan_study(
    study: Study,
    *,
    budget: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    looks: Sequence[int] = (),
    control_seeds: int | None = None,
    selection: str | None = None,
    changes: Mapping[str, Any] | None = None,
    command: str = "",
) -> Plan:
    """Plan a study.

    Args:
        study: what to run.
        budget: ``full`` (as published), ``quick`` (the study's own proxy) or ``medium`` (that proxy with 30 epochs, or
            as many as published where these are fewer); by default quick if there is one.
        seeds: of the runs of each row, at most 1000; two rows' runs of one seed are a pair.
        looks: of a sequential plan, the number of seeds of a row at each look, the last of which is that of ``seeds``.
        control_seeds: the number of runs of each control, at least as many as of a row: it takes part in every
            comparison, and tables that share it share its runs. By default 10, or as many as of a row where these
            are more, or too few for a verdict.
        selection: how the epoch is chosen: ``held-out``, ``last`` or ``test``; by default as the base says.
        changes: fields to change in every row, under dotted names.
        command: a command that runs the study again; stated with the results.

    Raises:
        ValueError: an unknown budget or selection, repeated or too many seeds, fewer of a control, a change to a field
            that the study sets itself, an invalid recipe of a row, or two rows with the same recipe.
    """
    changes = dict(changes or {})
    _check(seeds, selection, changes)
    if "train.epochs" in changes:  # at quick they go to the proxy, so only this recipe checks and converts them
        changes["train.epochs"] = Recipe().but({"train.epochs": changes["train.epochs"]}).train.epochs
    settle = _Settle(study, _budget(study, budget), selection, changes)
    recipes = {row.name: settle.recipe(row) for row in study.rows}
    further = _control_seeds(seeds, control_seeds)
    jobs = {
        row.name: settle.jobs(row, recipes[row.name], further if row.name in study.controls else seeds)
        for row in study.rows
    }
    _check_rows(study, jobs, seeds[0])
    first = recipes[study.rows[0].name]
    setting = Setting(
        study=study.name,
        purpose=study.purpose,
        source=study.source,
        protocol=study.protocol,
        budget=settle.budget + (", altered" if changes.keys() - _HOW_ONLY else ""),
        budget_in_words=settle.in_words(first),
        selection=first.train.select,
        seeds=tuple(seeds),
        control=study.control or study.pairs or None,
        changes=", ".join(f"{name} {value}" for name, value in changes.items() if name not in WITHOUT_EFFECT),
        command=command,
        control_seeds=further if study.controls and len(further) > len(seeds) else (),
        repeats=study.repeats,
        looks=tuple(looks),
        notes=study.notes,
        design=study.design,
        code=code_version(),
    )
    return Plan(study, setting, jobs)


def _check(seeds: Sequence[int], selection: str | None, changes: Mapping[str, Any]) -> None:
    if selection is not None and selection not in SELECTIONS:
        raise ValueError(f"unknown selection {selection!r}: {nearest(selection, SELECTIONS)}")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: {list(seeds)} are not one or more different numbers")
    if len(seeds) > MOST_SEEDS:
        raise ValueError(f"seeds: {len(seeds)} are more than {MOST_SEEDS}")
    for seed in seeds:
        Recipe().but({"train.seed": seed})
    for name, instead in (("train.seed", "seeds"), ("train.select", "protocol")):
        if name in changes:
            raise ValueError(f"{name}: a study sets it for its rows; choose --{instead}")


def _control_seeds(seeds: Sequence[int], wanted: int | None) -> tuple[int, ...]:
    """The seeds of a control: those of a row, and the lowest others."""
    if wanted is None:
        wanted = max(CONTROL_SEEDS, len(seeds)) if len(seeds) >= FEWEST_RUNS else len(seeds)
    if not len(seeds) <= wanted <= MOST_SEEDS:
        raise ValueError(
            f"control seeds: expected a number from {len(seeds)}, that of a row, to {MOST_SEEDS}, not {wanted}"
        )
    others = (seed for seed in itertools.count() if seed not in seeds)
    return (*seeds, *itertools.islice(others, wanted - len(seeds)))


def _check_rows(study: Study, jobs: Mapping[str, Mapping[int, Job]], seed: int) -> None:
    """Raise ``ValueError`` unless the rows differ in run or split and choose the epoch in the same way."""
    known: dict[tuple[str, str], str] = {}
    ways = {jobs[row.name][seed].recipe.train.select: row.name for row in study.rows}
    if len(ways) > 1:
        examples = ", ".join(f"{quoted(name)} by {way}" for way, name in ways.items())
        raise ValueError(f"study {study.name}: rows choose the epoch in different ways ({examples}); use --protocol")
    for row in study.rows:
        twin = known.setdefault((jobs[row.name][seed].key, row.split), row.name)
        if twin != row.name:
            raise ValueError(
                f"study {study.name}: rows {quoted(twin)} and {quoted(row.name)} are one and the same run here"
            )


def _budget(study: Study, budget: str | None) -> str:
    if budget is None:
        return "quick" if study.quick else "full"
    if budget not in BUDGETS:
        raise ValueError(f"unknown budget {budget!r}: {nearest(budget, BUDGETS)}")
    if budget == "full":
        return budget
    if study.quick is None:
        raise ValueError(f"study {study.name} has no {budget} setting; choose --budget full")
    if budget == "medium" and _medium(study.quick, study).epochs <= study.quick.epochs:
        raise ValueError(
            f"study {study.name} has no medium setting: quick has {study.quick.epochs} of its "
            f"{study.base.train.epochs} epochs; choose --budget quick or full"
        )
    return budget


def _medium(quick: Proxy, study: Study) -> Proxy:
    """The proxy with more epochs: what shows whether the ranking at quick carries over."""
    return replace(quick, epochs=min(MEDIUM_EPOCHS, study.base.train.epochs))


@dataclass(frozen=True)
class _Settle:
    """Brings the recipes of rows to the setting of the whole study: its budget, selection and changes."""

    study: Study
    budget: str
    selection: str | None
    changes: Mapping[str, Any]

    @property
    def proxy(self) -> Proxy | None:
        """The study's proxy; changed epochs become its epochs, so that schedules stay in proportion to them."""
        quick = None if self.budget == "full" else self.study.quick
        if quick is None:
            return None
        settled = _medium(quick, self.study) if self.budget == "medium" else quick
        epochs = self.changes.get("train.epochs")
        return replace(settled, epochs=epochs) if epochs else settled

    def in_words(self, recipe: Recipe) -> str:
        """Describe the budget, with the share of images that a row's recipe holds out."""
        parts = [self.proxy.in_words(self.study.base.train.epochs)] if self.proxy else []
        if "auto" in (self.study.base.train.precision, self.changes.get("train.precision")):
            parts.append(f"train.precision {recipe.train.precision}, as auto chose")
        if recipe.data.held_out:
            parts.append(f"{recipe.data.held_out:.0%} of the training images held out")
        return "; ".join(parts)

    def recipe(self, row: Row) -> Recipe:
        return self._selected(self._at_budget(self.study.recipe(row)))

    def jobs(self, row: Row, recipe: Recipe, seeds: Sequence[int]) -> dict[int, Job]:
        # A preparatory run chooses its epoch as its own recipe says: no figure of the table is its accuracy.
        firsts = {name: Job(self._at_budget(first)) for name, first in row.after.items()}
        return {seed: Job(with_seed(recipe, seed), firsts) for seed in seeds}

    def _at_budget(self, recipe: Recipe) -> Recipe:
        """The recipe at the study's length, and how it is computed here: a run's key holds device, threads and type."""
        if self.proxy is None:
            epochs = self.changes.get("train.epochs", recipe.train.epochs)
            recipe = recipe.but({**scaled_lengths(recipe, epochs / recipe.train.epochs), **self.changes})
        else:
            # The proxy has the changed epochs already, and gives each row its share of them.
            others = {name: value for name, value in self.changes.items() if name != "train.epochs"}
            recipe = self.proxy.apply(recipe, self.study.base.train.epochs).but(others)
        return stated(recipe)

    def _selected(self, recipe: Recipe) -> Recipe:
        """Apply the selection: ``last`` trains on all images, ``held-out`` needs some of them to choose the epoch."""
        if self.selection is None:
            return recipe
        held_out = 0.0 if self.selection == "last" else recipe.data.held_out
        if self.selection == "held-out" and not held_out:
            held_out = _HELD_OUT
        return recipe.but({"data.held_out": held_out, "train.select": self.selection})


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with another seed, which has been checked: a check of all fields for each run takes long."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})})


def _with_preparatory(job: Job) -> Iterator[Job]:
    for first in job.after.values():
        yield from _with_preparatory(first)
    yield job
