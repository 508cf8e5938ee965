"""The progress of a study on the terminal: a table of rows and seeds, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from assay.base.text import one_line
from assay.run.folder import RunFolder
from assay.studies.collect import measured
from assay.studies.conduct import StudyObserver
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.plan import Plan

_BEFORE = "before others: "
_MARKS = {"diverged": "[red]diverged[/]", "failed": "[red]failed[/]", "interrupted": "stopped"}


class LiveView(StudyObserver):
    """Redraws a table on a terminal; in a pipe or a file, prints a line for each run that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._running: dict[str, float] = {}
        self._parallel = 1
        self._seconds: list[float] = []

    def start(self, plan: Plan, store: Store, todo: Sequence[Job]) -> None:
        """Print how many runs there are, and begin to draw."""
        self._plan, self._store = plan, store
        self._left = {job.key: job for job in todo}
        self._total = len(plan.order())
        text = f"{plan.study.name}: {self._total} runs, {self._total - len(todo)} of them done before"
        self._console.print(text, highlight=False, markup=False)
        self._names = {job.key: f"{_BEFORE}{escape(job.recipe.model.name)}" for job in plan.order()}
        for row, jobs in reversed([*plan.jobs.items()]):
            self._names |= {job.key: f"{escape(row)}, seed {seed}" for seed, job in jobs.items()}
        self._cells = {job.key: self._stored(job) for job in plan.order()}
        if self._console.is_terminal and todo:
            self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=2, transient=True)
            self._live.start()

    def watch(self, job: Job) -> bool:
        """Note how many epochs the job has done; never ask it to stop."""
        self._running.setdefault(job.key, time.monotonic())
        epochs = len(RunFolder(self._store.folder(job)).timings.rows())
        self._cells[job.key] = f"[yellow]{epochs}/{job.recipe.train.epochs}[/]"
        return False

    def done(self, job: Job, outcome: Outcome) -> None:
        """Note how the job ended; print it where no table is drawn, or with a reason that the table cannot show."""
        if outcome.status != "interrupted":
            self._left.pop(job.key, None)
        self._parallel = max(1, len(self._running))  # as many jobs share the time that is left
        began = self._running.pop(job.key, None)
        if outcome.status == "finished" and began is not None:
            self._seconds.append(time.monotonic() - began)
        # The store has no outcome of an interrupted job.
        self._cells[job.key] = self._stored(job) or _MARKS[outcome.status]
        if not self._console.is_terminal or outcome.reason:
            self._console.print(
                f"{self._names[job.key]}: {self._cells[job.key]} {escape(one_line(outcome.reason))}", highlight=False
            )
            self._console.print(f"  {self._status()}", highlight=False)

    def stop(self) -> None:
        """Remove the table."""
        if self._live:
            self._live.stop()

    def _stored(self, job: Job) -> str:
        outcome, run = self._store.found(job)
        if outcome is None:
            return ""
        if run is None or outcome.status != "finished":
            return _MARKS[outcome.status]
        return f"[green]{measured(run.summary, 'test')['accuracy']:.2%}[/]"

    def _status(self) -> str:
        """How many runs are done, and how long the others will take at the mean duration of these."""
        text = f"{self._total - len(self._left)} of {self._total} runs done"
        if not self._seconds or not self._left:
            return text
        left = fmean(self._seconds) * len(self._left) / self._parallel
        return f"{text}, about {_in_words(left)} left"

    def _draw(self) -> RenderableType:
        seeds = self._plan.setting.seeds_of(is_control=True)  # which begin with those of the other rows
        table = Table("row", *(f"seed {seed}" for seed in seeds), box=None, pad_edge=False)
        lines = {
            escape(row): [jobs[seed].key if seed in jobs else "" for seed in seeds]
            for row, jobs in self._plan.jobs.items()
        }
        lines |= {name: [key] for key, name in self._names.items() if name.startswith(_BEFORE)}
        # A terminal shows some lines of a long table; those with a run at work come first.
        ordered = sorted(lines, key=lambda name: self._running.keys().isdisjoint(lines[name]))
        for name in ordered[: self._console.height]:
            table.add_row(name, *(self._cells.get(key, "") for key in lines[name]))
        return Group(self._status(), table)  # on a low terminal the table's end is cut off, not the status


def _in_words(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
