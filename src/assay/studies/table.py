"""A study's table: a line for each row, with what its runs can say against the control and the published figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assay.base.statistics import Difference, Estimate, estimate, holm, mcnemar, paired_difference, seeds_to_resolve
from assay.studies.results import Result, RowResults, Setting, StudyResults

LEVEL = 0.05  # of false positives, over all rows


@dataclass(frozen=True)
class Line:
    """A row of the table; accuracies in percent, differences in percentage points, nan where nothing was measured.

    Attributes:
        name: of the row.
        published: the source's accuracy.
        published_difference: the source's accuracy less its control's.
        estimate: of the accuracy, over the seeds.
        held_out: the mean accuracy had the epoch been chosen on the held-out split; None where the table's figures
            are those already, or not every run has it.
        difference: to the control, paired by seed; None where the row is not compared with one.
        test: ``t`` (paired, over seeds), ``mcnemar`` (one shared seed, over images), or empty where none can be made.
        p: of that test, corrected for the number of rows.
        p_uncorrected: of that test alone.
        verdict: ``control``, ``same direction``, ``opposite``, ``better``, ``worse``, ``not distinguishable``,
            ``not compared``, ``failed``, ``to come``, or empty where the study has no control.
        split: whose accuracy it is.
        parameters: that the network learns.
        flops: of one image's forward pass.
        seconds: of one run, on average.
        published_seconds: the source's time for one run.
        images_per_second: on average.
        runs: how many are done.
        accuracies: by seed.
        step: what one test image counts, below which no spread over seeds is believed; 0 where it is unknown.
        shared_start: the fields that take a preparatory run, one and the same for all seeds.
        guessing: the seeds whose networks are no better than guessing.
        failures: why the others gave nothing, each with its seed.
        seeds_needed: to resolve the table's wanted difference, at the spread seen here.
        note: the source's.
    """

    name: str
    published: float | None
    published_difference: float | None
    estimate: Estimate
    held_out: float | None
    difference: Difference | None
    test: str
    p: float
    p_uncorrected: float
    verdict: str
    split: str
    parameters: int | None
    flops: int | None
    seconds: float
    published_seconds: float | None
    images_per_second: float
    runs: int
    accuracies: Mapping[int, float]
    step: float
    shared_start: tuple[str, ...]
    guessing: tuple[int, ...]
    failures: tuple[str, ...]
    seeds_needed: int | None
    note: str


@dataclass(frozen=True)
class Table:
    """What is printed, saved and drawn of a study.

    Attributes:
        setting: under what it was run.
        lines: in the order of the study's rows.
        wanted: the difference that ``Line.seeds_needed`` is about, in percentage points.
    """

    setting: Setting
    lines: tuple[Line, ...]
    wanted: float = 1.0

    @property
    def compared(self) -> int:
        """How many rows were tested against the control: the size of Holm's family."""
        return sum(bool(line.test) for line in self.lines)


def make_table(results: StudyResults, wanted: float = 1.0) -> Table:
    """Every row's figures, compared with the control's as far as the runs allow.

    Args:
        results: the runs; any of them may have failed or be still to come.
        wanted: a difference in percentage points, to know how many seeds would resolve it.
    """
    pairs = [(rows, _control_of(rows, results)) for rows in results.rows]
    others = sum(control is not None and _comparable(rows, control) for rows, control in pairs)
    lines = [_line(rows, control, results.setting) for rows, control in pairs]
    adjusted = holm([line.p for line in lines])
    return Table(
        results.setting,
        tuple(
            _judged(replace(line, p=p, seeds_needed=_seeds_needed(line, wanted, others)))
            for line, p in zip(lines, adjusted, strict=True)
        ),
        wanted,
    )


def verdict(difference: float, p: float, published: float | None) -> str:
    """What a tested difference says of the published one.

    Args:
        difference: measured, in percentage points.
        p: corrected.
        published: in percentage points; None or 0 claims no direction.
    """
    if p >= LEVEL:
        return "not distinguishable"
    if not published:
        return "better" if difference > 0 else "worse"
    return "same direction" if (difference > 0) == (published > 0) else "opposite"


def _control_of(rows: RowResults, results: StudyResults) -> RowResults | None:
    """What the row is compared with: itself where others are compared with it; None where nothing is its control."""
    controls = {other.row.control for other in results.rows if other.row.control}
    if rows.row.name in controls and rows.row.control is None:
        return rows
    name = rows.row.control or results.setting.control
    return next((other for other in results.rows if other.row.name == name), None)


def _comparable(rows: RowResults, control: RowResults) -> bool:
    return rows is not control and rows.row.split == control.row.split


def _line(rows: RowResults, control: RowResults | None, setting: Setting) -> Line:
    """The row's figures, its p value not yet corrected and its verdict only the one that needs no test."""
    row, results = rows.row, rows.results
    rival = control if control is not None and _comparable(rows, control) else None
    difference = _difference(results, rival.results) if rival else None
    test, p = _tested(difference, results, rival.results) if rival and difference else ("", math.nan)
    accuracies = _by_seed(results)
    return Line(
        name=row.name,
        published=row.published,
        published_difference=_published_difference(rows, rival),
        estimate=estimate(list(accuracies.values()), resolution=_step(results)),
        held_out=_held_out(results) if setting.selection == "test" and row.split == "test" else None,
        difference=difference,
        test=test,
        p=p,
        p_uncorrected=p,
        verdict=_standing(rows, control, len(setting.seeds)),
        split=row.split,
        parameters=results[0].parameters if results else None,
        flops=results[0].flops if results else None,
        seconds=_mean([result.seconds for result in results]),
        published_seconds=row.seconds,
        images_per_second=_mean([result.images_per_second for result in results]),
        runs=len(results),
        accuracies=accuracies,
        step=_step(results),
        shared_start=tuple(row.after),
        guessing=tuple(result.seed for result in results if not result.has_learned),
        failures=tuple(f"seed {failure.seed}: {failure.reason}" for failure in rows.failures),
        seeds_needed=None,
        note=row.note,
    )


def _standing(rows: RowResults, control: RowResults | None, planned: int) -> str:
    """The verdict on a row as far as it follows without a test."""
    if rows is control:
        return "control"
    if not rows.results:
        return "failed" if rows.failures and len(rows.failures) >= planned else "to come"
    return "" if control is None else "not compared"


def _judged(line: Line) -> Line:
    if line.difference is None or math.isnan(line.p):
        return line
    return replace(line, verdict=verdict(line.difference.mean, line.p, line.published_difference))


def _difference(results: Sequence[Result], control: Sequence[Result]) -> Difference | None:
    """Over the shared seeds; None without any."""
    made = paired_difference(_by_seed(results), _by_seed(control), resolution=_step([*results, *control]))
    return made if made.n else None


def _by_seed(results: Sequence[Result]) -> dict[int, float]:
    return {result.seed: result.accuracy for result in results}


def _step(results: Sequence[Result]) -> float:
    """What one image counts in these accuracies, in percentage points."""
    images = [len(result.correct) for result in results if result.correct is not None]
    return 100 / min(images) if images else 0.0


def _tested(difference: Difference, results: Sequence[Result], control: Sequence[Result]) -> tuple[str, float]:
    """Which test can be made, and its p value."""
    if difference.n > 1:
        return "t", difference.p
    ours, theirs = next((a, b) for a in results for b in control if a.seed == b.seed)
    if ours.correct is None or theirs.correct is None or len(ours.correct) != len(theirs.correct):
        return "", math.nan
    return "mcnemar", mcnemar(ours.correct, theirs.correct).p


def _published_difference(rows: RowResults, rival: RowResults | None) -> float | None:
    if rival is None or rows.row.published is None or rival.row.published is None:
        return None
    return rows.row.published - rival.row.published


def _held_out(results: Sequence[Result]) -> float | None:
    values = [result.by_selection.get("held-out") for result in results]
    known = [value for value in values if value is not None]
    return _mean(known) if known and len(known) == len(values) else None


def _seeds_needed(line: Line, wanted: float, comparisons: int) -> int | None:
    if line.difference is None or line.difference.n < 2:
        return None
    return seeds_to_resolve(line.difference.std, wanted, comparisons, level=LEVEL)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
