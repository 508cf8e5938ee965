"""The progress of a search on the terminal: a line for each trial that ends, whichever process ran it."""

from __future__ import annotations

import optuna
from rich.console import Console
from rich.markup import escape

from assay.studies.advice.factors import in_words
from assay.studies.search.result import read_result
from assay.studies.search.trials import COUNTED, Search

_UNDER_WAY = ("running", "waiting")


class Lines:
    """Prints the trials that have ended since the last call."""

    def __init__(self, console: Console, optuna_study: optuna.Study, search: Search) -> None:
        self._console, self._optuna_study, self._search = console, optuna_study, search
        result = read_result(optuna_study, search)
        self._shown = {trial.number for trial in result.trials if trial.state not in _UNDER_WAY}
        self._print(f"search: {len(result.of_state(*COUNTED))} of {search.budget.trials} trials done before")

    def update(self) -> None:
        """Print the trials that have ended."""
        result = read_result(self._optuna_study, self._search)  # the storage also knows the trials of other processes
        best = "" if result.best is None else f"  (best: {result.best.accuracy:.2f} % of trial {result.best.number})"
        for trial in result.trials:
            if trial.state not in _UNDER_WAY and trial.number not in self._shown:
                end = f"{trial.accuracy:.2f} %" if trial.accuracy is not None else f"{trial.state} ({trial.reason})"
                self._print(f"trial {trial.number}: {end}  {in_words(trial.values)}{best}")
                self._shown.add(trial.number)

    def _print(self, text: str) -> None:
        self._console.print(escape(text), highlight=False, soft_wrap=True)
