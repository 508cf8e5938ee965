"""A line for each trial that ends, whichever process did it."""

from __future__ import annotations

from optuna import Study
from rich.console import Console
from rich.markup import escape

from assay.studies.factors import in_words
from assay.studies.search.found import Found, TrialResult, results_of
from assay.studies.search.trials import COUNTED, Search


class Lines:
    """Prints the trials that have ended since it last looked."""

    def __init__(self, console: Console, study: Study, search: Search) -> None:
        self._console, self._study, self._search = console, study, search
        found = self._found()
        self._shown = {trial.number for trial in _ended(found)}
        self._say(f"search: {len(found.of_state(*COUNTED))} of {search.trials} trials done before")

    def look(self) -> None:
        """Print what is new."""
        found = self._found()
        for trial in _ended(found):
            if trial.number not in self._shown:
                self._say(f"trial {trial.number}: {_in_words(trial)}{_best(found)}")
        self._shown |= {trial.number for trial in _ended(found)}

    def _found(self) -> Found:
        trials = self._study.get_trials(deepcopy=False)
        return Found(self._search.base, self._search.space, results_of(trials, self._search.space))

    def _say(self, text: str) -> None:
        self._console.print(escape(text), highlight=False, soft_wrap=True)


def _ended(found: Found) -> list[TrialResult]:
    return [trial for trial in found.trials if trial.state not in ("running", "waiting")]


def _in_words(trial: TrialResult) -> str:
    result = f"{trial.accuracy:.2f} %" if trial.accuracy is not None else f"{trial.state} ({trial.reason})"
    return f"{result}  {in_words(trial.values)}"


def _best(found: Found) -> str:
    return "" if found.best is None else f"  (best: {found.best.accuracy:.2f} % of trial {found.best.number})"
