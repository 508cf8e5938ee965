"""The progress of a search on the terminal: a line for each trial that ends, whichever process ran it."""

from __future__ import annotations

import optuna
from rich.console import Console
from rich.markup import escape

from assay.studies.advice.factors import in_words
from assay.studies.search.result import SearchResult, TrialResult, read_trials
from assay.studies.search.trials import COUNTED, Search


class Lines:
    """Prints the trials that have ended since the last call."""

    def __init__(self, console: Console, optuna_study: optuna.Study, search: Search) -> None:
        self._console, self._optuna_study, self._search = console, optuna_study, search
        result = self._read()
        self._shown = {trial.number for trial in _ended(result)}
        self._print(f"search: {len(result.of_state(*COUNTED))} of {search.trials} trials done before")

    def update(self) -> None:
        """Print the trials that have ended."""
        result = self._read()
        best = "" if result.best is None else f"  (best: {result.best.accuracy:.2f} % of trial {result.best.number})"
        for trial in _ended(result):
            if trial.number not in self._shown:
                self._print(f"trial {trial.number}: {_in_words(trial)}{best}")
                self._shown.add(trial.number)

    def _read(self) -> SearchResult:
        # Without the importances, which take longer than all else.
        trials = read_trials(self._optuna_study.get_trials(deepcopy=False), self._search.space)
        return SearchResult(self._search.base, self._search.space, trials)

    def _print(self, text: str) -> None:
        self._console.print(escape(text), highlight=False, soft_wrap=True)


def _ended(result: SearchResult) -> list[TrialResult]:
    return [trial for trial in result.trials if trial.state not in ("running", "waiting")]


def _in_words(trial: TrialResult) -> str:
    outcome = f"{trial.accuracy:.2f} %" if trial.accuracy is not None else f"{trial.state} ({trial.reason})"
    return f"{outcome}  {in_words(trial.values)}"
