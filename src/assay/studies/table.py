"""A study's table: each row's estimate, its tests against the control, and the published figures beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.base.statistics import Estimate, estimate, holm, images_deviation
from assay.studies.comparison import Comparison, compare, step
from assay.studies.factorial.effects import Effect, effects
from assay.studies.prior import prior_deviation
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.splits import Parts, parts_of_variance
from assay.studies.study import Row
from assay.studies.verdict import CANNOT_TELL, FEWEST_RUNS, judge_claim, source_noise, verdict


@dataclass(frozen=True)
class Line:
    """The statistics of a row; accuracies in percent, differences in percentage points, nan where nothing is measured.

    Attributes:
        published_difference: the row's published accuracy minus its control's.
        estimate: mean and 95 % interval of the accuracy, over the seeds; diverged runs count as guessing.
        survivors: the same without the diverged runs; None where none diverged.
        held_out: the mean accuracy if the epoch had been chosen on the held-out split; None where it was, or where
            some run lacks it.
        difference: to the control; None where the row has no control, or one of them has no runs.
        test: ``welch`` (over seeds), ``mcnemar`` (one shared seed, over images), or empty where neither applies.
        p: the test's p value, corrected for the number of rows (Holm).
        p_equivalent: that of the two one-sided tests, corrected likewise.
        p_paired: that of the paired t-test over the shared seeds, corrected likewise; for comparison only.
        verdict: ``control``, ``helps``, ``hurts``, ``makes no difference``, ``cannot be told``, ``not compared``,
            ``failed``, ``to come``, or empty where the study has no control.
        claim: what becomes of the published difference: see ``assay.studies.verdict.judge_claim``.
        parameters: the number of parameters that the network learns.
        flops: of one image's forward pass.
        seconds: of one run's training, on average.
        images_per_second: while training, on average.
        runs: the number of runs with a figure: finished ones, and diverged ones that count as guessing.
        planned: the number of runs that were planned.
        accuracies: of the finished runs, by seed.
        images: test images, the fewest of its runs; 0 where unknown.
        images_deviation: how much the accuracy varies with the choice of the test images, in percentage points; nan
            where fewer than two runs have answered equally many images.
        guessing: the seeds whose networks are no better than guessing.
        diverged: the seeds whose runs diverged.
        failures: the reasons of the failed and diverged runs, each with its seed.
        arithmetic: how its runs were computed, each way once.
    """

    row: Row
    published_difference: float | None
    estimate: Estimate
    survivors: Estimate | None
    held_out: float | None
    difference: Comparison | None
    test: str
    p: float
    p_equivalent: float
    p_paired: float
    verdict: str
    claim: str
    parameters: int | None
    flops: int | None
    seconds: float
    images_per_second: float
    runs: int
    planned: int
    accuracies: Mapping[int, float]
    images: int
    images_deviation: float
    guessing: tuple[int, ...]
    diverged: tuple[int, ...]
    failures: tuple[str, ...]
    arithmetic: tuple[str, ...]

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def step(self) -> float:
        """The accuracy of one test image, the least standard deviation of the estimate; 0 where unknown."""
        return 100 / self.images if self.images else 0.0

    @property
    def p_uncorrected(self) -> float:
        """The test's own p value; nan where there is no test."""
        if self.difference is None or not self.test:
            return math.nan
        return self.difference.p if self.test == "welch" else self.difference.images_p


PUBLISHED = "the published one"
"""what a `Ranking` against the source's figures is called"""


@dataclass(frozen=True)
class Ranking:
    """How far the order of a study's rows agrees with another order of them.

    Attributes:
        against: the other order, in words.
        rows: the number of rows that both have.
        tau: Kendall's tau-b, from -1 (reversed) to 1 (the same order).
        low: lower end of its 95 % interval over the seeds; nan where some row has a single run.
        high: upper end of it.
        fault: why the other order cannot be read, in a line; empty where it can.
    """

    against: str
    rows: int = 0
    tau: float = math.nan
    low: float = math.nan
    high: float = math.nan
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """The statistics of a study, from which its printed tables and its figures are made.

    Attributes:
        lines: in the order of the study's rows.
        margin: the largest difference that counts as none, in percentage points.
        looks_done: of a sequential plan, the number of looks behind the verdicts.
        rankings: how far the order of the rows agrees with that in the source, and with those at larger budgets.
        effects: of a design of factors of two values, main effects and interactions.
        parts: of rows that were run on several splits of the images, the parts of their variance.
    """

    setting: Setting
    lines: tuple[Line, ...]
    margin: float = 1.0
    looks_done: int = 0
    rankings: tuple[Ranking, ...] = ()
    effects: tuple[Effect, ...] = ()
    parts: tuple[Parts, ...] = ()

    @property
    def compared(self) -> int:
        """The number of rows that were tested against a control: the size of the family in Holm's correction."""
        return sum(bool(line.test) for line in self.lines)


def make_table(results: StudyResults, margin: float = 1.0) -> Table:
    """Compute every row's estimate, and compare it with its control as far as the runs allow.

    Args:
        results: the runs of a study, row by row.
        margin: the largest difference that counts as none, in percentage points, above 0.
    """
    setting = results.setting
    controls = [_control_of(rows, results) for rows in results.rows]
    rivals = [
        control if control is not None and _comparable(rows, control) else None
        for rows, control in zip(results.rows, controls, strict=True)
    ]
    pairs = list(zip(results.rows, rivals, strict=True))
    compared = compare(pairs, prior_deviation(setting.study), margin)
    lines = [
        _line(rows, control, rival, difference, setting)
        for (rows, rival), control, difference in zip(pairs, controls, compared, strict=True)
    ]
    # A row without a test has p = nan, which Holm's correction leaves out of the family.
    p = holm([line.p_uncorrected for line in lines])
    equivalent = holm([line.p_equivalent for line in lines])
    paired = holm([line.p_paired for line in lines])
    final = [
        judged(replace(line, p=own, p_equivalent=other, p_paired=third), margin, setting.repeats)
        for line, own, other, third in zip(lines, p, equivalent, paired, strict=True)
    ]
    made = effects(setting.design, results.rows, prior_deviation(setting.study)) if setting.design else ()
    return Table(setting, tuple(final), margin, effects=made, parts=parts_of_variance(results.rows))


def _control_of(rows: RowResults, results: StudyResults) -> RowResults | None:
    """Return the row's control; the row itself if it is a control, None if it has none."""
    controls = {other.row.control for other in results.rows if other.row.control}
    if rows.row.name in controls and rows.row.control is None:
        return rows
    name = rows.row.control or results.setting.control
    return next((other for other in results.rows if other.row.name == name), None)


def _comparable(rows: RowResults, control: RowResults) -> bool:
    return rows is not control and rows.row.split == control.row.split


def _line(
    rows: RowResults,
    control: RowResults | None,
    rival: RowResults | None,
    difference: Comparison | None,
    setting: Setting,
) -> Line:
    """Compute the row's statistics, with uncorrected p values and only a verdict that needs no test."""
    row, results = rows.row, rows.results
    resolution, test = step([rows]), _test(difference)
    finished = {result.seed: result.accuracy for result in results}
    planned = len(setting.seeds_of(is_control=rows is control)) or len(rows.counted)
    return Line(
        row=row,
        published_difference=_published_difference(rows, rival),
        estimate=estimate(list(rows.counted.values()), resolution=resolution),
        survivors=estimate(list(finished.values()), resolution=resolution) if rows.diverged else None,
        held_out=_held_out(results) if setting.selection == "test" and row.split == "test" else None,
        difference=difference,
        test=test,
        p=math.nan,
        p_equivalent=difference.p_equivalent if difference and test == "welch" else math.nan,
        p_paired=difference.paired.p if difference else math.nan,
        verdict=_standing(rows, control, planned),
        claim="",
        parameters=results[0].parameters if results else None,
        flops=results[0].flops if results else None,
        seconds=_mean([result.seconds for result in results]),
        images_per_second=_mean([result.images_per_second for result in results]),
        runs=len(rows.counted),
        planned=planned,
        accuracies=finished,
        images=rows.images,
        images_deviation=_images_deviation(results),
        guessing=tuple(result.seed for result in results if not result.has_learned),
        diverged=rows.diverged,
        failures=tuple(f"seed {seed}: {reason}" for seed, reason in rows.failures.items()),
        arithmetic=tuple(sorted({result.arithmetic for result in results if result.arithmetic})),
    )


def _test(difference: Comparison | None) -> str:
    """The test that applies: over seeds, or where either side has a single run over the images of a shared one."""
    if difference is None:
        return ""
    if not math.isnan(difference.p):
        return "welch"
    return "" if math.isnan(difference.images_p) else "mcnemar"


def _standing(rows: RowResults, control: RowResults | None, planned: int) -> str:
    """Return the verdict as far as it follows without a test."""
    if rows is control:
        return "control"
    if not rows.counted:
        return "failed" if rows.failures and len(rows.failures) >= planned else "to come"
    return "" if control is None else "not compared"


def judged(line: Line, margin: float, repeats: Sequence[float]) -> Line:
    """Return the line with its verdict, and with that on the published claim, from its corrected p values.

    Args:
        line: with corrected p values.
        margin: the largest difference that counts as none, in percentage points.
        repeats: accuracies of the source's own repeated runs of one recipe, in percent.
    """
    about = line.difference
    if about is None:
        return line
    enough = min(about.n, about.control_n) >= FEWEST_RUNS
    said = verdict(about.mean, line.p, line.p_equivalent) if enough else CANNOT_TELL
    return replace(
        line, verdict=said, claim=judge_claim(said, line.published_difference, margin, source_noise(repeats))
    )


def _published_difference(rows: RowResults, rival: RowResults | None) -> float | None:
    if rival is None or rows.row.published is None or rival.row.published is None:
        return None
    return rows.row.published - rival.row.published


def _held_out(results: Sequence[Result]) -> float | None:
    values = [result.by_selection.get("held-out") for result in results]
    known = [value for value in values if value is not None]
    return _mean(known) if known and len(known) == len(values) else None


def _images_deviation(results: Sequence[Result]) -> float:
    answers = [result.correct for result in results if result.correct is not None]
    if len(answers) < 2 or len({len(one) for one in answers}) > 1:
        return math.nan
    return 100 * images_deviation(np.stack(answers))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
