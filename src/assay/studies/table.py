"""A study's table: each row's estimate, its test against the control, and the published figures beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assay.base.statistics import Difference, Estimate, estimate, holm, mcnemar, paired_difference, seeds_to_resolve
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.study import Row

LEVEL = 0.05  # family-wise error rate: of any false verdict in a table


@dataclass(frozen=True)
class Line:
    """The statistics of a row; accuracies in percent, differences in percentage points, nan where nothing is measured.

    Attributes:
        published_difference: the row's published accuracy minus its control's.
        estimate: mean and 95 % confidence interval of the accuracy, over the seeds.
        held_out: the mean accuracy if the epoch had been chosen on the held-out split; None where it was, or where
            some run lacks it.
        difference: to the control, paired by seed; None where the row has no control or shares no seed with it.
        test: ``t`` (paired, over seeds), ``mcnemar`` (one shared seed, over images), or empty where neither applies.
        p: the test's p-value, corrected for the number of rows (Holm).
        p_uncorrected: the test's own p-value.
        verdict: ``control``, ``same direction``, ``opposite``, ``better``, ``worse``, ``not distinguishable``,
            ``not compared``, ``failed``, ``to come``, or empty where the study has no control.
        parameters: the number of parameters that the network learns.
        flops: of one image's forward pass.
        seconds: of one run's training, on average.
        images_per_second: while training, on average.
        runs: the number of finished runs.
        accuracies: by seed.
        images: test images, the fewest of its runs; 0 where unknown.
        guessing: the seeds whose networks are no better than guessing.
        failures: the reasons of the failed runs, each with its seed.
        seeds_needed: seeds that resolve the table's wanted difference, at the observed standard deviation.
    """

    row: Row
    published_difference: float | None
    estimate: Estimate
    held_out: float | None
    difference: Difference | None
    test: str
    p: float
    p_uncorrected: float
    verdict: str
    parameters: int | None
    flops: int | None
    seconds: float
    images_per_second: float
    runs: int
    accuracies: Mapping[int, float]
    images: int
    guessing: tuple[int, ...]
    failures: tuple[str, ...]
    seeds_needed: int | None

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def step(self) -> float:
        """The accuracy of one test image, the least standard deviation that is assumed; 0 where unknown."""
        return _step(self.images)


@dataclass(frozen=True)
class Table:
    """The statistics of a study, from which its printed tables and its figures are made.

    Attributes:
        lines: in the order of the study's rows.
        wanted: the difference to which ``Line.seeds_needed`` refers, in percentage points.
    """

    setting: Setting
    lines: tuple[Line, ...]
    wanted: float = 1.0

    @property
    def compared(self) -> int:
        """The number of rows that were tested against a control: the size of the family in Holm's correction."""
        return sum(bool(line.test) for line in self.lines)


def make_table(results: StudyResults, wanted: float = 1.0) -> Table:
    """Compute every row's estimate, and compare it with its control as far as the runs allow.

    ``wanted`` is a difference in percentage points, above 0: the table says how many seeds would resolve it.
    """
    pairs = [(rows, _control_of(rows, results)) for rows in results.rows]
    others = sum(control is not None and _comparable(rows, control) for rows, control in pairs)
    lines = [_line(rows, control, results.setting) for rows, control in pairs]
    # A row without a test has p = nan, which Holm's correction leaves out of the family.
    corrected = holm([line.p for line in lines])
    return Table(
        results.setting,
        tuple(_judged(line, p, wanted, others) for line, p in zip(lines, corrected, strict=True)),
        wanted,
    )


def verdict(difference: float, p: float, published: float | None) -> str:
    """Judge a tested difference by its corrected p-value and its direction; None or 0 published claims no direction."""
    if p >= LEVEL:
        return "not distinguishable"
    if not published:
        return "better" if difference > 0 else "worse"
    return "same direction" if (difference > 0) == (published > 0) else "opposite"


def _control_of(rows: RowResults, results: StudyResults) -> RowResults | None:
    """Return the row's control; the row itself if it is a control, None if it has none."""
    controls = {other.row.control for other in results.rows if other.row.control}
    if rows.row.name in controls and rows.row.control is None:
        return rows
    name = rows.row.control or results.setting.control
    return next((other for other in results.rows if other.row.name == name), None)


def _comparable(rows: RowResults, control: RowResults) -> bool:
    return rows is not control and rows.row.split == control.row.split


def _line(rows: RowResults, control: RowResults | None, setting: Setting) -> Line:
    """Compute the row's statistics, with the uncorrected p-value and only a verdict that needs no test."""
    row, results = rows.row, rows.results
    rival = control if control is not None and _comparable(rows, control) else None
    difference = _difference(results, rival.results) if rival else None
    test, p = _tested(difference, results, rival.results) if rival and difference else ("", math.nan)
    accuracies, images = _by_seed(results), _images(results)
    return Line(
        row=row,
        published_difference=_published_difference(rows, rival),
        estimate=estimate(list(accuracies.values()), resolution=_step(images)),
        held_out=_held_out(results) if setting.selection == "test" and row.split == "test" else None,
        difference=difference,
        test=test,
        p=p,
        p_uncorrected=p,
        verdict=_standing(rows, control, len(setting.seeds)),
        parameters=results[0].parameters if results else None,
        flops=results[0].flops if results else None,
        seconds=_mean([result.seconds for result in results]),
        images_per_second=_mean([result.images_per_second for result in results]),
        runs=len(results),
        accuracies=accuracies,
        images=images,
        guessing=tuple(result.seed for result in results if not result.has_learned),
        failures=tuple(f"seed {seed}: {reason}" for seed, reason in rows.failures.items()),
        seeds_needed=None,
    )


def _standing(rows: RowResults, control: RowResults | None, planned: int) -> str:
    """Return the verdict as far as it follows without a test."""
    if rows is control:
        return "control"
    if not rows.results:
        return "failed" if rows.failures and len(rows.failures) >= planned else "to come"
    return "" if control is None else "not compared"


def _judged(line: Line, p: float, wanted: float, comparisons: int) -> Line:
    """Return the line with its corrected p-value, and with all that follows from it or from the observed spread."""
    about = line.difference
    if about is None:
        return line
    # One seed has no spread, so nothing can be said about the seeds that would be needed.
    seeds = seeds_to_resolve(about.std, wanted, comparisons, level=LEVEL) if about.n > 1 else None
    judged = line.verdict if math.isnan(p) else verdict(about.mean, p, line.published_difference)
    return replace(line, p=p, verdict=judged, seeds_needed=seeds)


def _difference(results: Sequence[Result], control: Sequence[Result]) -> Difference | None:
    """The paired difference over the shared seeds; None where there are none."""
    difference = paired_difference(
        _by_seed(results), _by_seed(control), resolution=_step(_images([*results, *control]))
    )
    return difference if difference.n else None


def _by_seed(results: Sequence[Result]) -> dict[int, float]:
    return {result.seed: result.accuracy for result in results}


def _images(results: Sequence[Result]) -> int:
    """The number of test images, the smallest where runs differ; 0 where it is unknown."""
    return min((len(result.correct) for result in results if result.correct is not None), default=0)


def _step(images: int) -> float:
    """The accuracy of one image, in percentage points.

    Two seeds can agree to the image by chance, and a standard deviation of 0 would make any difference significant:
    so no standard deviation over seeds is taken to be smaller than this.
    """
    return 100 / images if images else 0.0


def _tested(difference: Difference, results: Sequence[Result], control: Sequence[Result]) -> tuple[str, float]:
    """Return the test that applies, and its p-value."""
    if difference.n > 1:
        return "t", difference.p
    # One seed has no spread over seeds, so the pairs are the test images instead.
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


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
