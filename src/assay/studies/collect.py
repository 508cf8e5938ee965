"""Reads the results of a study's runs from the store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.base.json_files import JsonObject
from assay.recipe.recipe import Recipe
from assay.run.selection import score
from assay.studies.execution.ended import EndedRun
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.plan import Plan
from assay.studies.results import Result, RowResults, StudyResults
from assay.studies.study import Row


def collect(plan: Plan, store: Store) -> StudyResults:
    """Return the finished and the failed runs of every row; raise ``ValueError`` where a record is damaged."""
    machines: set[str] = set()
    commits: set[str] = set()
    rows = []
    for row in plan.study.rows:
        found = {seed: store.found(job) for seed, job in sorted(plan.jobs[row.name].items())}
        ended = {seed: run for seed, (end, run) in found.items() if run and end == Outcome("finished")}
        lost = {seed: end for seed, (end, _) in found.items() if end and seed not in ended}
        rows.append(_row_results(row, plan.jobs[row.name], ended, lost))
        machines |= {_machine(run.environment) for run in ended.values()}
        commits |= {str(commit) for run in ended.values() if (commit := run.environment.get("commit"))}
    setting = replace(plan.setting, hardware="; ".join(sorted(machines)), commits=tuple(sorted(commits)))
    return StudyResults(setting, _with_chance(rows))


def _machine(about: JsonObject) -> str:
    """Describe the machine of a run."""
    if not about:
        return "unknown"
    processor, threads, cores, torch = (
        about.get(name, "unknown") for name in ("processor", "threads", "cores", "torch")
    )
    return f"{about.get('accelerator') or f'{processor}, {threads} of {cores} cores'}, torch {torch}"


def _row_results(
    row: Row, jobs: Mapping[int, Job], ended: Mapping[int, EndedRun], lost: Mapping[int, Outcome]
) -> RowResults:
    return RowResults(
        row,
        recipe=next(iter(jobs.values())).recipe,  # the recipes of a row's jobs differ in the seed alone
        results=tuple(_result(seed, row, jobs[seed].recipe, run) for seed, run in ended.items()),
        failures={seed: end.reason for seed, end in lost.items()},
        diverged=tuple(seed for seed, end in lost.items() if end.status == "diverged"),
    )


def _with_chance(rows: Sequence[RowResults]) -> tuple[RowResults, ...]:
    """Add the accuracy of guessing, which a run tells that finished on the same images, whichever row it is of."""
    known = {
        row.recipe.data.name: result.guessing
        for row in rows
        for result in row.results
        if not math.isnan(result.guessing)
    }
    return tuple(replace(row, chance=known.get(row.recipe.data.name, math.nan)) for row in rows)


def _result(seed: int, row: Row, recipe: Recipe, run: EndedRun) -> Result:
    summary = run.summary
    return Result(
        seed=seed,
        accuracy=100 * measured(summary, row.split)["accuracy"],
        parameters=summary["parameters"],
        flops=summary["flops"],
        seconds=summary["seconds"],
        images_per_second=summary["images_per_second"],
        correct=run.answers.correct if run.answers and row.split == "test" else None,
        by_selection=_by_selection(recipe, run),
        guessing=run.answers.guessing if run.answers else math.nan,
        arithmetic=_arithmetic(recipe, run.environment),
    )


def measured(summary: JsonObject, split: str) -> JsonObject:
    """Return the split's figures, or those of the held-out one: ImageNet has validation images but no test split.

    Raises:
        ValueError: there are neither.
    """
    figures: JsonObject | None = summary.get(split, summary.get("held_out"))
    if figures is None:
        raise ValueError(f"a run has no figures of the {split} split")
    return figures


def _by_selection(recipe: Recipe, run: EndedRun) -> dict[str, float]:
    """Return the test accuracy in percent under each selection of the epoch that the log allows."""
    own: dict[str, float] = {recipe.train.select: 100 * float(measured(run.summary, "test")["accuracy"])}
    # Only a selection on the test split logs test figures of every epoch, and those are without test-time views.
    if recipe.train.select != "test" or recipe.test.views != "none" or not run.epochs:
        return own
    ways = ["last", *(["held-out"] if "held_out_accuracy" in run.epochs[0] else [])]
    # JSON has no infinity, so the log holds null for a loss that was not finite.
    epochs = [
        {name: math.inf if value is None and name.endswith("_loss") else value for name, value in epoch.items()}
        for epoch in run.epochs
    ]
    best = {way: max(epochs, key=lambda epoch: score(epoch, way)) for way in ways}
    return own | {way: 100 * float(epoch["test_accuracy"]) for way, epoch in best.items()}


def _arithmetic(recipe: Recipe, about: JsonObject) -> str:
    """How a run was computed, in words; empty where its environment does not say."""
    threads, device = about.get("threads"), about.get("device")
    if not isinstance(threads, int) or not isinstance(device, str):
        return ""
    number = about.get("precision", recipe.train.precision)
    return f"{number}, {threads} thread{'s' * (threads != 1)}, {device.split(':')[0]}"
