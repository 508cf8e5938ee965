"""A search's folder: its trials as a table, the best recipe, a summary in words, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabulate import tabulate

from assay.analysis.figures.plots import save_figure
from assay.base.atomic import replace_file
from assay.base.row_files import write_rows
from assay.studies.advice import advise
from assay.studies.advice import as_text as advice_as_text
from assay.studies.factors import in_words, value_in_words
from assay.studies.folder import publish as publish_study
from assay.studies.forms.formats import as_markdown
from assay.studies.search.found import Found, TrialResult
from assay.studies.search.plots import plot_search
from assay.studies.table import make_table

BEST, TRIALS, SUMMARY, PICTURE, CONFIRMATION = "best.yaml", "trials.csv", "search.md", "search.png", "confirmation"
_SHOWN = 10  # trials in the summary


def publish(found: Found, folder: Path) -> None:
    """Write all of it into the folder, each file atomically; the confirmation as a study's own folder within."""
    if found.trials:
        write_rows(folder / TRIALS, [_record(found, trial) for trial in found.trials])
    if found.best_recipe:
        replace_file(folder / BEST, found.best_recipe.to_yaml())
        save_figure(plot_search(found), folder / PICTURE)
    if found.confirmation:
        (folder / CONFIRMATION).mkdir(exist_ok=True)
        advice = advice_as_text(advise(found.confirmation))
        publish_study(make_table(found.confirmation), advice, folder / CONFIRMATION)
    replace_file(folder / SUMMARY, as_text(found))


def as_text(found: Found) -> str:
    """All of it in Markdown."""
    return f"{in_short(found)}\n## What it is worth\n\n{_confirmation(found)}\n"


def in_short(found: Found) -> str:
    """What was tried and what was best, in Markdown."""
    return "\n\n".join(_paragraphs(found)) + "\n"


def _paragraphs(found: Found) -> Iterator[str]:
    yield "# Search"
    yield tabulate([[name, str(kind)] for name, kind in found.space.items()], ["field", "tried"], "github")
    states = {state: len(found.of_state(state)) for state in dict.fromkeys(trial.state for trial in found.trials)}
    yield f"Trials: {', '.join(f'{number} {state}' for state, number in states.items()) or 'none'}."
    yield from _best(found)
    yield "## Importances"
    yield from _importances(found)


def _best(found: Found) -> Iterator[str]:
    if found.best is None:
        yield "No trial has finished, so there is no best recipe."
        return
    yield (
        f"Best: trial {found.best.number}, {found.best.accuracy:.2f} % on the held-out split, "
        f"with {in_words(found.best.values)} ({BEST}). This figure is optimistic: it was chosen for being the highest."
    )
    ranked = sorted(found.of_state("finished"), key=lambda trial: -(trial.accuracy or 0.0))[:_SHOWN]
    rows = [[trial.number, f"{trial.accuracy:.2f}", *_cells(found, trial)] for trial in ranked]
    yield tabulate(rows, ["trial", "held-out %", *found.space], "github", disable_numparse=True)


def _importances(found: Found) -> Iterator[str]:
    if found.no_importances:
        yield f"None: {found.no_importances}."
        return
    rows = [[name, f"{100 * share:.0f} %"] for name, share in found.importances.items()]
    yield tabulate(rows, ["field", "share of the spread"], "github", disable_numparse=True)
    yield "Of the finished trials' accuracies, by functional analysis of variance; pruned trials are left out."


def _confirmation(found: Found) -> str:
    if found.confirmation:
        return as_markdown(make_table(found.confirmation)).rstrip()
    running = len(found.of_state("running"))
    if running:
        return f"Not known yet: {running} trials are running; the process that ends last confirms."
    return "Not known: the best recipe was not trained again with fresh seeds."


def _cells(found: Found, trial: TrialResult) -> list[str]:
    return [value_in_words(trial.values[name]) if name in trial.values else "" for name in found.space]


def _record(found: Found, trial: TrialResult) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "held_out_accuracy": trial.accuracy,
        "epochs": trial.epochs,
        **{name: trial.values.get(name) for name in found.space},
        "run": trial.run,
        "reason": trial.reason,
    }
