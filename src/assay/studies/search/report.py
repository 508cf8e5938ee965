"""The folder of a search: its trials as a table, the best recipe, a summary in Markdown, a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from assay.analysis.figures.style import save_figure
from assay.base.atomic import replace_file
from assay.base.row_files import to_csv
from assay.studies.advice.advise import advise
from assay.studies.advice.factors import in_words, value_in_words
from assay.studies.advice.words import as_text as advice_as_text
from assay.studies.folder import publish as publish_study
from assay.studies.forms.formats import as_markdown
from assay.studies.search.plots import plot_search
from assay.studies.search.result import SearchResult
from assay.studies.table import make_table

BEST, TRIALS, SUMMARY, PICTURE, CONFIRMATION = "best.yaml", "trials.csv", "search.md", "search.png", "confirmation"
_MOST_RANKED = 10  # trials in the summary


def publish(result: SearchResult, folder: Path) -> None:
    """Write the result into the folder, each file atomically; the confirmation has a study's folder within."""
    if result.trials:
        rows = [
            {
                "number": trial.number,
                "state": trial.state,
                "held_out_accuracy": trial.accuracy,
                "epochs": trial.epochs,
                **{name: trial.values.get(name) for name in result.space},
                "run": trial.run,
                "reason": trial.reason,
            }
            for trial in result.trials
        ]
        replace_file(folder / TRIALS, to_csv(rows, digits=None))  # values that were tried, for another run
    if result.best_recipe:
        replace_file(folder / BEST, result.best_recipe.to_yaml())
        save_figure(plot_search(result), folder / PICTURE)
    if result.confirmation:
        (folder / CONFIRMATION).mkdir(exist_ok=True)
        advice = advice_as_text(advise(result.confirmation))
        publish_study(make_table(result.confirmation), advice, folder / CONFIRMATION)
    replace_file(folder / SUMMARY, f"{summary(result)}\n## What it is worth\n\n{_confirmation(result)}\n")


def summary(result: SearchResult) -> str:
    """Return in Markdown what was tried and what was best, without the confirmation."""
    states = Counter(trial.state for trial in result.trials)
    paragraphs = [
        "# Search",
        tabulate([[name, str(kind)] for name, kind in result.space.items()], ["field", "tried"], "github"),
        f"Trials: {', '.join(f'{number} {state}' for state, number in states.items()) or 'none'}.",
        *_best(result),
        "## Importances",
        *_importances(result),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _best(result: SearchResult) -> Iterator[str]:
    if result.best is None:
        yield "No trial has finished, so there is no best recipe."
        return
    yield (
        f"Best: trial {result.best.number}, {result.best.accuracy:.2f} % on the held-out split, "
        f"with {in_words(result.best.values)} ({BEST}). This figure is optimistic: it was chosen for being the highest."
    )
    ranked = sorted(result.of_state("finished"), key=lambda trial: -(trial.accuracy or 0.0))[:_MOST_RANKED]
    rows = [
        [trial.number, f"{trial.accuracy:.2f}", *(value_in_words(trial.values[name]) for name in result.space)]
        for trial in ranked
    ]
    # Tabulate would write 90.10 as 90.1.
    yield tabulate(rows, ["trial", "held-out %", *result.space], "github", disable_numparse=True)


def _importances(result: SearchResult) -> Iterator[str]:
    if result.no_importances:
        yield f"None: {result.no_importances}."
        return
    rows = [[name, f"{100 * share:.0f} %"] for name, share in result.importances.items()]
    yield tabulate(rows, ["field", "share of the spread"], "github", disable_numparse=True)
    yield "Of the finished trials' accuracies, by functional analysis of variance; pruned trials are left out."


def _confirmation(result: SearchResult) -> str:
    if result.confirmation:
        return as_markdown(make_table(result.confirmation)).rstrip()
    running = len(result.of_state("running"))
    if running:
        return f"Not known yet: {running} trials are running; the process that ends last confirms."
    return "Not known: the best recipe was not trained again with fresh seeds."
