"""A study's table: which rows are compared, by which test, and what is said of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from assay.base.statistics import seeds_to_resolve
from assay.recipe.recipe import Recipe
from assay.studies.forms.words import footnotes, header, in_short
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.study import Row, Study
from assay.studies.table import Line, Table, make_table, verdict

SETTING = Setting("stem", "Which stem?", "R2 2.2.1", "one run", "full", "", "held-out", (0, 1, 2), "a")


def runs(*accuracies: float, **more) -> tuple[Result, ...]:
    """Finished runs of the seeds 0, 1, ..."""
    return tuple(
        Result(seed, accuracy, 1_330_000, 74_200_000, 190.0 + 2 * seed, 1000.0 + 100 * seed, **more)
        for seed, accuracy in enumerate(accuracies)
    )


def row(name: str, published: float | None, results=(), failures=None, **more) -> RowResults:
    return RowResults(Row(name, published=published, **more), Recipe(), tuple(results), failures or {})


def table_of(*rows: RowResults, wanted: float = 1.0, **setting) -> Table:
    return make_table(StudyResults(replace(SETTING, **setting), rows), wanted)


def verdicts(table: Table) -> list[str]:
    return [line.verdict for line in table.lines]


CONTROL = row("a", 78.62, runs(70.0, 71.0, 72.0))


def test_rows_have_controls_of_their_own() -> None:
    table = table_of(
        row("plain, lr 1", 70, runs(60.0, 61.0, 62.5)),
        row("plain, lr 2", 10, runs(10.0, 10.1, 10.2)),
        row("norms, lr 1", 72, runs(70.0, 71.1, 72.5), control="plain, lr 1"),
        row("norms, lr 2", 80, runs(80.0, 80.2, 80.4), control="plain, lr 2"),
        control="plain at the same rate",
    )
    assert verdicts(table) == ["control", "control", "same direction", "same direction"]
    differences = [line.difference and line.difference.mean for line in table.lines]
    assert differences == [None, None, pytest.approx(10.03, abs=0.01), pytest.approx(70.1)]
    assert [line.published_difference for line in table.lines] == [None, None, 2, 70]
    assert table.compared == 2
    assert "Differences to plain at the same rate" in " ".join(footnotes(table))


@pytest.mark.parametrize("more", [{"control": "a", "pairs": "the row above"}, {}])
def test_controls_of_both_kinds_are_refused(more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="rows with a control of their own take pairs in words, and no other control"):
        Study("both", "?", Recipe(), (Row("a"), Row("b", {"optim.lr": 1.0}, control="a")), **more)


def test_networks_that_learned_nothing_are_named() -> None:
    """A tenth of 1,000 images is right by guessing, give or take 2.8 points (three standard errors)."""
    some = [
        Result(seed, accuracy, 1, 1, 1.0, 1.0, correct=answers(round(10 * accuracy)), guessing=10.0)
        for seed, accuracy in enumerate((10.0, 12.8, 12.9))
    ]
    assert [result.has_learned for result in some] == [False, False, True]
    line = table_of(CONTROL, row("stuck", 10, some)).lines[1]
    assert line.guessing == (0, 1)
    notes = " ".join(footnotes(table_of(CONTROL, row("stuck", 10, some))))
    assert "Learned nothing (no better than one answer for all images): stuck (seeds 0, 1)." in notes


def answers(right: int, of: int = 1000, start: int = 0) -> np.ndarray:
    correct = np.zeros(of, bool)
    correct[start : start + right] = True
    return correct


def test_a_line_by_hand() -> None:
    table = table_of(CONTROL, row("b", 74.07, runs(66.1, 66.9, 68.0), note="older"))
    line = table.lines[1]
    assert (line.name, line.row.published, line.row.note, line.row.split, line.runs) == ("b", 74.07, "older", "test", 3)
    assert line.published_difference == pytest.approx(-4.55)
    assert line.estimate.mean == pytest.approx(67.0)
    assert (line.parameters, line.flops, line.seconds, line.images_per_second) == (1_330_000, 74_200_000, 192, 1100)
    assert line.difference is not None
    assert (line.difference.mean, line.difference.n) == (pytest.approx(-4.0), 3)  # -3.9, -4.1, -4.0
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert line.difference.high == pytest.approx(-4 + half, abs=1e-6)
    assert line.p == pytest.approx(stats.ttest_rel([66.1, 66.9, 68.0], [70.0, 71.0, 72.0]).pvalue)
    assert (line.test, line.verdict) == ("t", "same direction")
    control = table.lines[0]
    assert (control.verdict, control.difference, control.test) == ("control", None, "")
    assert control.published_difference is None
    assert math.isnan(control.p)


@pytest.mark.parametrize(
    ("published", "said"),
    [(79.0, "same direction"), (78.0, "opposite"), (None, "better"), (78.62, "better")],
)
def test_a_gain_against_what_was_published(published: float | None, said: str) -> None:
    assert verdicts(table_of(CONTROL, row("b", published, runs(74.0, 75.1, 75.9))))[1] == said


def test_verdicts_by_themselves() -> None:
    assert verdict(-1.0, 0.01, None) == verdict(-1.0, 0.01, 0.0) == "worse"
    assert verdict(-1.0, 0.01, -3.0) == "same direction"
    assert verdict(-1.0, 0.049, 3.0) == "opposite"
    assert verdict(-1.0, 0.05, 3.0) == "not distinguishable"


def test_holm_counts_the_rows_that_were_compared() -> None:
    near = runs(71.3, 72.0, 73.0)  # +1.3, +1, +1: p 0.0081 by itself
    alone = table_of(CONTROL, row("b", None, near), row("failed", None, (), dict.fromkeys(range(3), "x")))
    assert (alone.compared, verdicts(alone)[1]) == (1, "better")
    many = table_of(CONTROL, *(row(f"b{number}", None, near) for number in range(7)))
    assert many.compared == 7
    assert many.lines[1].p == pytest.approx(7 * alone.lines[1].p)
    assert set(verdicts(many)[1:]) == {"not distinguishable"}


def test_without_a_control_nothing_is_compared() -> None:
    table = table_of(row("a", 86.98, runs(76.0, 77.0)), row("b", 82.04, runs(60.0, 61.0)), control=None)
    assert verdicts(table) == ["", ""]
    assert all(line.difference is None and line.published_difference is None for line in table.lines)
    assert not any("Verdicts" in note or "Differences" in note for note in footnotes(table))


def test_failed_and_to_come() -> None:
    failures = {0: "loss is nan", 1: "out of memory", 2: "loss is nan"}
    table = table_of(
        CONTROL,
        row("f", 1.0, (), failures),
        row("g", 1.0, (), {0: failures[0]}),
        row("c", 1.0),
        row("h", 1.0, runs(60.0), {seed: failures[seed] for seed in (1, 2)}),
    )
    assert verdicts(table) == ["control", "failed", "to come", "to come", "not compared"]
    failed = table.lines[1]
    assert failed.failures == ("seed 0: loss is nan", "seed 1: out of memory", "seed 2: loss is nan")
    assert (failed.parameters, failed.flops, failed.runs, failed.seeds_needed) == (None, None, 0, None)
    assert math.isnan(failed.seconds)
    assert "Failed: h: seed 1: out of memory; seed 2: loss is nan." in footnotes(table)


def test_a_control_that_failed_leaves_nothing_to_compare_with() -> None:
    table = table_of(row("a", 78.0, (), dict.fromkeys(range(3), "x")), row("b", 70.0, runs(60.0, 61.0)))
    assert verdicts(table) == ["control", "not compared"]
    assert any(note.startswith("Not compared") for note in footnotes(table))


def test_one_run_each_is_judged_by_its_answers() -> None:
    control = row("a", 78.0, runs(70.0, correct=answers(700)))
    differs = row("b", 70.0, runs(60.0, correct=answers(600)))
    alike = row("c", 70.0, runs(69.9, correct=answers(699, start=50)))
    table = table_of(control, differs, alike, seeds=(0,))
    assert verdicts(table) == ["control", "same direction", "not distinguishable"]
    line = table.lines[1]
    assert (line.test, line.seeds_needed) == ("mcnemar", None)
    assert line.p == pytest.approx(2 * 2 * 0.5**100)  # 100 of 100 images for the control; two rows
    assert table.lines[2].p == pytest.approx(stats.binomtest(49, 99).pvalue)
    assert line.difference is not None
    assert math.isnan(line.difference.low)
    assert any(
        note.startswith("† one shared seed: McNemar") and "not whether the choices do" in note
        for note in footnotes(table)
    )


def test_one_run_is_paired_with_the_controls_run_of_its_seed() -> None:
    control = [replace(run, correct=answers(700 - 300 * run.seed)) for run in runs(70.0, 40.0)]
    line = table_of(row("a", None, control), row("b", None, [replace(control[1], accuracy=40.0)])).lines[1]
    assert (line.test, line.p, line.verdict) == ("mcnemar", 1.0, "not distinguishable")


def test_one_shared_seed_of_several_runs_is_judged_by_its_answers() -> None:
    control = row("a", None, runs(70.0, 71.0, 72.0, correct=answers(700)))
    table = table_of(control, row("b", None, runs(60.0, correct=answers(600))))
    assert (table.lines[1].test, table.lines[1].runs) == ("mcnemar", 1)
    assert not any("one run each" in note for note in footnotes(table))


def test_answers_to_other_images_are_not_compared() -> None:
    control = row("a", None, runs(70.0, correct=answers(700)))
    table = table_of(control, row("b", None, runs(60.0, correct=answers(60, of=100))))
    assert (verdicts(table)[1], table.lines[1].test) == ("not compared", "")
    assert any(note.startswith("Not compared:") and "the same images" in note for note in footnotes(table))


def test_pairs_that_gain_equally_by_chance_prove_nothing() -> None:
    step = 100 / 360
    control = row("a", None, runs(349 * step, 350 * step, correct=answers(349, of=360)))
    one_more = runs(350 * step, 351 * step, correct=answers(350, of=360))
    table = table_of(control, row("b", None, one_more))
    line = table.lines[1]
    assert line.difference is not None
    assert (line.test, line.verdict, line.step) == ("t", "not distinguishable", step)
    assert line.p == pytest.approx(2 * stats.t.sf(math.sqrt(2), df=1))
    assert line.seeds_needed == seeds_to_resolve(step, 1.0) > 2
    assert any("one test image (0.28 points)" in note for note in footnotes(table))
    alone = table_of(row("b", None, runs(70.0, 70.0, correct=answers(252, of=360))), control=None).lines[0]
    assert alone.estimate.std == step  # nor is a mean certain because two runs are equal
    unknown = table_of(CONTROL, row("b", None, runs(70.5, 71.6, 72.6)))
    assert unknown.lines[1].step == 0.0
    assert not any("one test image" in note for note in footnotes(unknown))


def test_a_small_test_split_is_remarked_on() -> None:
    control = row("a", None, runs(70.0, 71.0, correct=answers(700)))
    few = row("b", None, runs(70.0, 71.0, correct=answers(70, of=100)))
    remark = "The test split has 100 images: differences of fewer than 6 images (6.0 points) between single runs are"
    assert any(note.startswith(remark) for note in footnotes(table_of(control, few)))
    assert not any("test split has" in note for note in footnotes(table_of(control, control)))


def test_the_steps_of_the_coarser_accuracies_count() -> None:
    control = row("a", None, runs(70.0, 71.0, correct=answers(700)))
    line = table_of(control, row("b", None, runs(71.0, 72.0, correct=answers(71, of=100)))).lines[1]
    assert line.difference is not None
    assert line.difference.std == 1.0


def test_a_start_that_all_seeds_share_is_said() -> None:
    shared = row("b", None, runs(71.0, 72.1, 73.0), after={"model.pretrained": Recipe()})
    assert (
        "b: its preparatory run (model.pretrained) is one and the same for all seeds; "
        "its chance is not in the interval."
    ) in footnotes(table_of(CONTROL, shared))
    assert not any("preparatory" in note for note in footnotes(table_of(CONTROL, row("b", None, shared.results))))


def test_what_a_row_keeps_of_its_runs() -> None:
    near = runs(71.3, 72.0, 73.0)
    table = table_of(CONTROL, row("b", None, near, seconds=600.0), row("c", None, near))
    line = table.lines[1]
    assert (line.accuracies, line.row.seconds) == ({0: 71.3, 1: 72.0, 2: 73.0}, 600.0)
    assert line.p == pytest.approx(2 * line.p_uncorrected)


def test_one_run_without_its_answers_is_not_compared() -> None:
    table = table_of(row("a", 78.0, runs(70.0)), row("b", 70.0, runs(60.0)))
    assert verdicts(table)[1] == "not compared"
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


def test_seeds_that_would_resolve_the_wanted_difference() -> None:
    spread = runs(70.0, 72.0, 74.0)  # differences 0, 1, 2: standard deviation 1
    rows = [CONTROL, row("b", None, spread)]
    assert table_of(*rows, wanted=0.5).lines[1].seeds_needed == 34
    assert table_of(*rows, wanted=5.0).lines[1].seeds_needed < 34
    shared = table_of(*rows, row("c", None), row("train", None, split="train"), wanted=0.5)
    assert shared.lines[1].seeds_needed > 34  # a row that is still to come shares the level
    (note,) = (note for note in footnotes(table_of(*rows, wanted=0.5)) if note.startswith("Seeds"))
    assert note.startswith("Seeds that would resolve 0.5 points (power 80 %, at the spread seen here): b: 34. Decide")
    assert "before you look: adding them until a verdict appears makes false claims more frequent than 5 %." in note


def test_the_epoch_chosen_on_the_test_split_is_said_and_the_other_way_is_shown() -> None:
    chosen = runs(70.0, 72.0, by_selection={"held-out": 69.0, "test": 70.0})
    partly = (*runs(70.0, by_selection={"held-out": 69.0}), Result(1, 70.0, 1, 1, 1.0, 1.0))
    table = table_of(row("a", None, chosen), row("b", None, partly), selection="test")
    assert [line.held_out for line in table.lines] == [69.0, None]
    assert "ON THE TEST SPLIT" in header(table.setting)["epoch chosen"]
    assert "optimistic" in in_short(table.setting)
    assert any(note.startswith("Held-out:") for note in footnotes(table))
    other = table_of(row("a", None, chosen), selection="last")
    assert other.lines[0].held_out is None
    assert "TEST" not in " ".join(header(other.setting).values())


def test_a_proxy_never_passes_for_the_real_thing() -> None:
    quick = replace(SETTING, budget="quick", budget_in_words="5 epochs in place of 50", changes="optim.lr 0.2")
    expected = "quick: 5 epochs in place of 50; published figures are of the full setting"
    assert header(quick)["budget"] == expected
    assert in_short(quick).startswith(
        f"{expected}; changed: optim.lr 0.2; 3 seeds; the epoch that was best on the held-out split"
    )
    assert header(SETTING)["budget"] == "full"


def test_the_header_says_all_that_is_known() -> None:
    assert list(header(SETTING)) == [
        "study", "purpose", "source", "published protocol", "budget", "epoch chosen", "seeds", "control",
    ]  # fmt: skip
    known = header(replace(SETTING, changes="c", hardware="h", command="x"))
    assert (known["changed in all rows"], known["hardware"], known["run again with"]) == ("c", "h", "x")


def test_a_study_without_any_run() -> None:
    table = table_of(row("a", 78.0), row("b", 70.0))
    assert verdicts(table) == ["control", "to come"]
    assert isinstance(table.lines[0], Line)
    assert table.lines[1].published_difference == -8
