"""Rows against their controls: which are compared, by which test, and what follows."""

import math
from dataclasses import replace

import pytest
from scipy import stats
from tables import CONTROL, answers, row, runs, table_of, verdicts

from assay.base.statistics import seeds_to_resolve
from assay.recipe.recipe import Recipe
from assay.studies.forms.words import footnotes
from assay.studies.results import RowResults
from assay.studies.study import Row


def test_a_published_difference_within_the_sources_noise_is_no_claim() -> None:
    better = row("b", 78.04, runs(75.0, 76.1, 76.9))  # published 0.58 below the control
    table = table_of(CONTROL, better, repeats=(78.62, 80.60, 79.64, 80.33, 78.36))
    assert (table.lines[1].verdict, table.lines[1].claim) == ("helps", "was within the source's own noise")
    notes = " ".join(footnotes(table))
    assert "Two single runs of the source differ by up to 3.9" in notes
    assert "no repeated runs" in " ".join(footnotes(table_of(CONTROL, better)))


def test_diverged_runs_count_as_guessing() -> None:
    """Else a row would be praised for the two seeds on which it happens to learn."""
    reasons = {2: "diverged in epoch 1"}
    lossy = RowResults(Row("b", published=80.0), Recipe(), runs(75.0, 76.0), reasons, (2,), chance=10.0)
    table = table_of(CONTROL, lossy)
    line = table.lines[1]
    assert (line.runs, line.diverged, line.accuracies) == (3, (2,), {0: 75.0, 1: 76.0})
    assert line.estimate.mean == pytest.approx((75 + 76 + 10) / 3)
    assert line.survivors is not None
    assert line.survivors.mean == pytest.approx(75.5)
    assert line.difference is not None
    assert line.difference.mean == pytest.approx((75 + 76 + 10) / 3 - 71)
    assert line.difference.p_diverged == pytest.approx(stats.fisher_exact([[1, 2], [0, 3]]).pvalue)
    assert line.verdict == "cannot be told"
    assert table.lines[0].survivors is None
    assert "Diverged runs count as guessing" in " ".join(footnotes(table))
    assert "Diverged" not in " ".join(footnotes(table_of(CONTROL)))


def test_a_row_of_which_all_runs_diverge_hurts() -> None:
    lost = RowResults(Row("b"), Recipe(), (), dict.fromkeys(range(3), "diverged"), (0, 1, 2), chance=10.0)
    line = table_of(CONTROL, lost).lines[1]
    assert (line.verdict, line.estimate.mean, line.runs) == ("hurts", 10.0, 3)
    unknown = RowResults(Row("b"), Recipe(), (), dict.fromkeys(range(3), "diverged"), (0, 1, 2))
    assert table_of(CONTROL, unknown).lines[1].verdict == "failed"


def test_two_runs_give_no_verdict() -> None:
    table = table_of(CONTROL, row("b", 10.0, runs(20.0, 20.1)))
    line = table.lines[1]
    assert (line.test, line.verdict, line.claim) == ("welch", "cannot be told", "cannot be told from our runs")
    assert line.p < 0.05
    assert "Fewer than 3 runs of a row or of its control give no verdict." in footnotes(table)


def test_a_control_of_more_seeds_takes_part_with_all_of_them() -> None:
    control = row("a", None, runs(*(70 + 0.1 * place for place in range(10))))
    line = table_of(control, row("b", None, runs(75.0, 75.5, 76.0)), control_seeds=tuple(range(10))).lines[1]
    assert line.difference is not None
    assert (line.difference.n, line.difference.control_n, line.difference.paired.n) == (3, 10, 3)
    assert line.difference.mean == pytest.approx(75.5 - 70.45)
    assert line.difference.superiority is not None
    assert (line.difference.superiority.share, line.planned, line.verdict) == (1.0, 3, "helps")


@pytest.mark.parametrize(
    ("published", "said"),
    [(79.0, "holds"), (78.0, "does not hold"), (None, ""), (78.62, "")],
)
def test_a_gain_against_what_was_published(published: float | None, said: str) -> None:
    line = table_of(CONTROL, row("b", published, runs(75.0, 76.1, 76.9))).lines[1]
    assert (line.verdict, line.claim) == ("helps", said)


def test_a_row_that_equals_its_control() -> None:
    values = [70.0 + 0.1 * place for place in range(10)]
    table = table_of(row("a", 78.0, runs(*values)), row("b", 80.0, runs(*reversed(values))), seeds=tuple(range(10)))
    line = table.lines[1]
    assert (line.verdict, line.claim) == ("makes no difference", "does not hold")
    assert line.difference is not None
    assert (line.p_equivalent, line.difference.mean) == (line.difference.p_equivalent, pytest.approx(0))
    wider = table_of(row("a", 78.0, runs(*values)), row("b", 80.0, runs(*reversed(values))), margin=0.1)
    assert wider.lines[1].verdict == "cannot be told"


def test_a_line_by_hand() -> None:
    table = table_of(CONTROL, row("b", 74.07, runs(66.1, 66.9, 68.0), note="older"))
    line = table.lines[1]
    assert (line.name, line.row.published, line.row.note, line.row.split, line.runs) == ("b", 74.07, "older", "test", 3)
    assert line.published_difference == pytest.approx(-4.55)
    assert line.estimate.mean == pytest.approx(67.0)
    assert (line.parameters, line.flops, line.seconds, line.images_per_second) == (1_330_000, 74_200_000, 192, 1100)
    assert line.difference is not None
    assert (line.difference.mean, line.difference.n) == (pytest.approx(-4.0), 3)  # -3.9, -4.1, -4.0
    # Both variances, 0.91 and 1, are near the prior one (their median, 0.955): half exceed 0.91 / 0.955 and 1 / 0.955,
    # so it counts 2 exp(-0.91 / 0.955) and 2 exp(-1 / 0.955) of 0.7 degrees of freedom beside their own two.
    weights = [0.7 * 2 * math.exp(-own / 0.955) for own in (0.91, 1.0)]
    own, other = ((w * 0.955 + 2 * v) / (w + 2) / 3 for w, v in zip(weights, (0.91, 1.0), strict=True))
    t = -4 / math.sqrt(own + other)
    assert line.p == pytest.approx(2 * stats.t.sf(-t, min(weights) + 3))  # Satterthwaite's would be above 5
    width = stats.t.ppf(0.975, min(weights) + 3) * math.sqrt(own + other)
    assert (line.difference.low, line.difference.high) == pytest.approx((-4 - width, -4 + width))
    assert line.p_paired == pytest.approx(stats.ttest_rel([66.1, 66.9, 68.0], [70.0, 71.0, 72.0]).pvalue)
    assert (line.test, line.verdict, line.claim) == ("welch", "hurts", "holds")
    control = table.lines[0]
    assert (control.verdict, control.difference, control.test) == ("control", None, "")
    assert control.published_difference is None
    assert math.isnan(control.p)


def test_holm_counts_the_rows_that_were_compared() -> None:
    near = runs(76.3, 77.0, 78.0)
    alone = table_of(CONTROL, row("b", None, near), row("failed", None, (), dict.fromkeys(range(3), "x")))
    assert (alone.compared, verdicts(alone)[1]) == (1, "helps")
    # The same variances in the table, so that its prior is the same.
    many = table_of(CONTROL, *(row(f"b{number}", None, near) for number in range(7)))
    assert many.compared == 7
    line, about = many.lines[1], many.lines[1].difference
    assert about is not None
    for corrected, own in (
        (line.p, about.p), (line.p_equivalent, about.p_equivalent), (line.p_paired, about.paired.p)
    ):  # fmt: skip
        assert corrected == pytest.approx(min(1, 7 * own))


def test_one_run_each_is_judged_by_its_answers() -> None:
    control = row("a", 78.0, runs(70.0, correct=answers(700)))
    differs = row("b", 70.0, runs(60.0, correct=answers(600)))
    alike = row("c", 70.0, runs(69.9, correct=answers(699, start=50)))
    table = table_of(control, differs, alike, seeds=(0,))
    assert verdicts(table) == ["control", "cannot be told", "cannot be told"]
    line = table.lines[1]
    assert line.test == "mcnemar"
    assert line.p == pytest.approx(2 * 2 * 0.5**100)  # 100 of 100 images for the control; two rows
    assert table.lines[2].p == pytest.approx(stats.binomtest(49, 99).pvalue)
    assert line.difference is not None
    assert line.difference.seeds_needed is None
    assert math.isnan(line.difference.low)
    assert any(
        note.startswith("† one shared seed: McNemar's p") and "not whether the choices do" in note
        for note in footnotes(table)
    )


def test_one_run_is_paired_with_the_controls_run_of_its_seed() -> None:
    control = [replace(run, correct=answers(700 - 300 * run.seed)) for run in runs(70.0, 40.0)]
    line = table_of(row("a", None, control), row("b", None, [replace(control[1], accuracy=40.0)])).lines[1]
    assert (line.test, line.p, line.verdict) == ("mcnemar", 1.0, "cannot be told")


def test_one_shared_seed_of_several_runs_is_judged_by_its_answers() -> None:
    control = row("a", None, runs(70.0, 71.0, 72.0, correct=answers(700)))
    table = table_of(control, row("b", None, runs(60.0, correct=answers(600))))
    assert (table.lines[1].test, table.lines[1].runs) == ("mcnemar", 1)
    assert not any("one run each" in note for note in footnotes(table))


def test_answers_to_other_images_are_not_compared() -> None:
    control = row("a", None, runs(70.0, correct=answers(700)))
    table = table_of(control, row("b", None, runs(60.0, correct=answers(60, of=100))))
    assert (verdicts(table)[1], table.lines[1].test) == ("cannot be told", "")


def test_pairs_that_gain_equally_by_chance_prove_nothing() -> None:
    step = 100 / 360
    control = row("a", None, runs(*(right * step for right in (349, 350, 351)), correct=answers(349, of=360)))
    one_more = runs(*(right * step for right in (350, 351, 352)), correct=answers(350, of=360))
    table = table_of(control, row("b", None, one_more))
    line = table.lines[1]
    assert line.difference is not None
    assert (line.test, line.verdict, line.step) == ("welch", "cannot be told", step)
    assert line.p_paired == pytest.approx(2 * stats.t.sf(math.sqrt(3), df=2))
    assert any("one test image (0.28 points)" in note for note in footnotes(table))
    alone = table_of(row("b", None, runs(70.0, 70.0, correct=answers(252, of=360))), control=None).lines[0]
    assert alone.estimate.std == step  # nor is a mean certain because two runs are equal
    unknown = table_of(CONTROL, row("b", None, runs(70.5, 71.6, 72.6)))
    assert unknown.lines[1].step == 0.0
    assert not any("one test image" in note for note in footnotes(unknown))


def test_seeds_that_would_resolve_the_margin() -> None:
    rows = [CONTROL, row("b", None, runs(70.0, 71.5, 73.0))]
    line = table_of(*rows, margin=0.5).lines[1]
    assert line.difference is not None
    assert line.difference.seeds_needed is not None
    low, high = line.difference.seeds_needed
    freedom, variance = line.difference.freedom, line.difference.error**2 * 3
    for seeds, share in ((low, 0.9), (high, 0.1)):  # at the ends of the spread's 80 % interval
        std = math.sqrt(variance * freedom / stats.chi2.ppf(share, freedom))
        assert seeds == seeds_to_resolve(std, 0.5)
    assert high > 4 * low  # three runs hardly tell a spread
    shared = table_of(*rows, row("c", None), row("train", None, split="train"), margin=0.5).lines[1]
    assert shared.difference is not None
    assert shared.difference.seeds_needed > (low, high)  # a row that is still to come shares the level
    (note,) = (note for note in footnotes(table_of(*rows, margin=0.5)) if note.startswith("Seeds"))
    assert note.startswith("Seeds of row and control that would resolve 0.5 points (power 80 %, at either end of the")
    assert f"b: {low:,} to {high:,}. Decide" in note
    assert "before you look: adding them until a verdict appears makes false claims more frequent than 5 %." in note


def test_one_run_without_its_answers_is_not_compared() -> None:
    table = table_of(row("a", 78.0, runs(70.0)), row("b", 70.0, runs(60.0)))
    assert (verdicts(table)[1], table.lines[1].test) == ("cannot be told", "")
    assert not any("†" in note for note in footnotes(table))


def test_another_split_is_not_compared() -> None:
    table = table_of(CONTROL, row("on train", 99.0, runs(90.0, 91.0, 92.5), split="train"))
    line = table.lines[1]
    assert (line.verdict, line.difference, line.published_difference, line.row.split) == (
        "not compared",
        None,
        None,
        "train",
    )
    assert "Accuracy on another split than test: on train (train)." in footnotes(table)
