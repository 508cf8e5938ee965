"""``runs.jsonl``: a line for each run of a study that has ended, from which its table can be computed again.

A line holds the run's key, the rows that it is of, its seed, its recipe as the difference from the study's base (which
``study.json`` has), the version of the code, figures by epoch, the summary, the answers on the test images, what a
probe wrote, and on what it ran. So a table grows on several machines, and a reader needs nothing but the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay.base.atomic import replace_files
from assay.base.json_files import parse_json, to_json_line
from assay.base.pace import Pace
from assay.recipe.fields import field_names
from assay.studies.conduct import Execute
from assay.studies.execution.ended import EndedRun, from_dict
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.plan import Plan
from assay.studies.plan_shape import is_key

RUNS_FILE = "runs.jsonl"


def read_runs(folder: Path) -> dict[str, EndedRun]:
    """Return the runs of the folder's file by their keys; none where it has no such file.

    Raises:
        ValueError: names the file and the line that is damaged.
    """
    file = folder / RUNS_FILE
    runs: dict[str, EndedRun] = {}
    for number, line in enumerate(file.read_bytes().splitlines() if file.exists() else [], start=1):
        try:
            values = parse_json(line)
            if not isinstance(values, dict) or not is_key(values.get("key")):
                raise ValueError("expected a mapping with the key of a run")
            if values["key"] in runs:
                raise ValueError(f"run {values['key']} stands here twice")
            runs[values["key"]] = from_dict(values)
        except ValueError as error:
            raise ValueError(f"{file}: line {number}: {error}") from None
    return runs


def runs_told(plan: Plan, own: Path, other: Path | None = None) -> tuple[dict[str, EndedRun], tuple[str, ...]]:
    """Return the runs of a plan that files tell of, by their keys, and a remark on each file that may surprise.

    Args:
        plan: only runs of its keys count: never those of other code, which would be mixed in silence.
        own: the study's folder, which may have a file.
        other: a folder that has one.

    Raises:
        ValueError: a file is damaged, or ``other`` has none.
    """
    if other is not None and not (other / RUNS_FILE).is_file():
        raise ValueError(f"{other}: expected a folder with {RUNS_FILE}")
    found = {folder: read_runs(folder) for folder in (own, *([other] if other else []))}
    keys = {job.key for job in plan.order()}
    ours = {key: run for runs in found.values() for key, run in runs.items() if key in keys}
    told = [folder for folder, runs in found.items() if folder == other or runs.keys() - keys]
    return ours, tuple(_what_counts(folder, found[folder], plan) for folder in told)


def as_lines(plan: Plan, store: Store) -> str:
    """The file's content: the plan's runs that have ended, in the order of the plan."""
    ended = ((job, _ended(job, store)) for job in plan.order())
    line = _Lines(plan)
    return "".join(line(job, run) for job, run in ended if run)


def without_traces(plan: Plan, lines: Mapping[str, EndedRun]) -> int:
    """Count the finished runs of a plan that were probed and whose lines, of an earlier version, do not say so."""
    probed = {job.key for job in plan.order() if job.recipe.probe.every}
    return sum(run.status == "finished" and run.traces is None for key, run in lines.items() if key in probed)


def noting(execute: Execute, plan: Plan, folder: Path) -> Execute:
    """Return an executor that writes the study's file anew, atomically, as runs end.

    It is written before the first run and after the last, and in between as often as writing takes a twentieth of the
    time: after each run that takes a second, but not all of 5,000 lines after each of 5,000 short runs.
    """

    def do(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        line, pace = _Lines(plan), Pace()
        lines = {job.key: _text(job, line, store) for job in plan.order()}

        def write() -> None:
            with pace.writing():
                replace_files(folder, {RUNS_FILE: "".join(lines.values())})

        write()
        try:
            for job, outcome in execute(jobs, store, watch):
                lines[job.key] = _text(job, line, store)
                if pace.passed >= pace.enough:
                    write()
                yield job, outcome
        finally:
            write()

    return do


def _what_counts(folder: Path, found: Mapping[str, EndedRun], plan: Plan) -> str:
    """Say how many of a file's runs are those of a plan, and why the others are not."""
    ours = found.keys() & {job.key for job in plan.order()}
    others = [run for key, run in found.items() if key not in ours]
    of_other_code = sum(run.code != plan.setting.code for run in others)
    reasons = {
        "of another version of the code or its libraries": of_other_code,
        "of other rows, seeds or settings": len(others) - of_other_code,
    }
    left_out = "".join(f"; {count} left out, {why}" for why, count in reasons.items() if count)
    return f"{folder / RUNS_FILE}: {len(ours)} of its {len(found)} runs count{left_out}"


def _ended(job: Job, store: Store) -> EndedRun | None:
    """The run that has ended, with what a probe wrote of it."""
    run = store.ended(job)
    is_probed = run is not None and run.status == "finished" and job.recipe.probe.every
    return replace(run, traces=store.traces(job)) if run and is_probed else run


class _Lines:
    """Writes the lines of a plan's runs."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._base = plan.study.base.flat()
        self._rows: dict[str, list[str]] = {}
        for name, jobs in plan.jobs.items():
            for job in jobs.values():
                self._rows.setdefault(job.key, []).append(name)

    def __call__(self, job: Job, run: EndedRun) -> str:
        plain = job.recipe.flat()
        changed = [name for name in field_names() if plain.get(name) != self._base.get(name)]
        return to_json_line(
            {
                "key": job.key,
                "rows": self._rows.get(job.key, []),
                "seed": job.recipe.train.seed,
                "recipe": {name: plain.get(name) for name in changed if name not in job.after},
                "after": {name: first.key for name, first in job.after.items()},
                "code": self._plan.setting.code,
                **run.to_dict(),
            }
        )


def _text(job: Job, line: _Lines, store: Store) -> str:
    """The run's line; empty where it has not ended, or its record is damaged, which the table says."""
    try:
        run = _ended(job, store)
    except ValueError:
        return ""
    return line(job, run) if run else ""
