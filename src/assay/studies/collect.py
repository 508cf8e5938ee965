"""Reads the results of a study's runs from the store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.base.json_files import JsonObject, read_json
from assay.run.folder import RunFolder
from assay.run.record import RunRecord, read_scores
from assay.run.selection import score
from assay.studies.execution.store import Job, Store
from assay.studies.plan import Plan
from assay.studies.results import Result, RowResults, StudyResults
from assay.studies.study import Row


def collect(plan: Plan, store: Store) -> StudyResults:
    """Return the finished and the failed runs of every row; raise ``ValueError`` where a record is damaged."""
    rows = _with_chance([_row_results(row, plan.jobs[row.name], store) for row in plan.study.rows])
    machines = {
        _machine(store.folder(jobs[result.seed]))
        for row, jobs in zip(rows, plan.jobs.values(), strict=True)
        for result in row.results
    }
    return StudyResults(replace(plan.setting, hardware="; ".join(sorted(machines))), rows)


def _machine(folder: Path) -> str:
    """Describe the machine of a run."""
    about = read_json(RunFolder(folder).environment)
    if not about:
        return "unknown"
    processor, threads, cores, torch = (
        about.get(name, "unknown") for name in ("processor", "threads", "cores", "torch")
    )
    return f"{about.get('accelerator') or f'{processor}, {threads} of {cores} cores'}, torch {torch}"


def _row_results(row: Row, jobs: Mapping[int, Job], store: Store) -> RowResults:
    results, failures, diverged = [], {}, []
    for seed, job in sorted(jobs.items()):
        outcome = store.outcome(job)
        if outcome and outcome.status == "finished":
            results.append(_result(seed, row, store.folder(job)))
        elif outcome:
            failures[seed] = outcome.reason
            diverged += [seed] if outcome.status == "diverged" else []
    recipe = next(iter(jobs.values())).recipe  # the recipes of a row's jobs differ in the seed alone
    return RowResults(row, recipe, tuple(results), failures, tuple(diverged))


def _with_chance(rows: Sequence[RowResults]) -> tuple[RowResults, ...]:
    """Add the accuracy of guessing, which a run tells that finished on the same images, whichever row it is of."""
    known = {
        row.recipe.data.name: result.guessing
        for row in rows
        for result in row.results
        if not math.isnan(result.guessing)
    }
    return tuple(replace(row, chance=known.get(row.recipe.data.name, math.nan)) for row in rows)


def _result(seed: int, row: Row, folder: Path) -> Result:
    record = RunRecord.read(folder)
    summary = record.summary
    scores, labels = read_scores(folder, "test" if "test" in summary else "held-out")
    return Result(
        seed=seed,
        accuracy=100 * measured(summary, row.split)["accuracy"],
        parameters=summary["parameters"],
        flops=summary["flops"],
        seconds=summary["seconds"],
        images_per_second=summary["images_per_second"],
        correct=scores.argmax(1) == labels if row.split == "test" else None,
        by_selection=_by_selection(record),
        guessing=100 * float(np.bincount(labels).max() / len(labels)),
    )


def measured(summary: JsonObject, split: str) -> JsonObject:
    """Return the split's figures, or those of the held-out one: ImageNet has validation images but no test split."""
    figures: JsonObject = summary[split] if split in summary else summary["held_out"]
    return figures


def _by_selection(record: RunRecord) -> dict[str, float]:
    """Return the test accuracy in percent under each selection of the epoch that the log allows."""
    own: dict[str, float] = {record.recipe.train.select: 100 * float(measured(record.summary, "test")["accuracy"])}
    # Only a selection on the test split logs test figures of every epoch, and those are without test-time views.
    if record.recipe.train.select != "test" or record.recipe.test.views != "none":
        return own
    ways = ["last", *(["held-out"] if "held_out_accuracy" in record.metrics[0] else [])]
    # JSON has no infinity, so the log holds null for a loss that was not finite.
    epochs = [
        {name: math.inf if value is None and name.endswith("_loss") else value for name, value in epoch.items()}
        for epoch in record.metrics
    ]
    best = {way: max(epochs, key=lambda epoch: score(epoch, way)) for way in ways}
    return own | {way: 100 * float(epoch["test_accuracy"]) for way, epoch in best.items()}
