"""A study's table: what its rows keep of their runs, and what is said around it."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from tables import CONTROL, SETTING, answers, row, runs, table_of, verdicts

from assay.recipe.recipe import Recipe
from assay.studies.forms.formats import as_csv
from assay.studies.forms.words import footnotes, header, in_short
from assay.studies.results import Result
from assay.studies.study import Row, Study
from assay.studies.table import Line


def test_rows_have_controls_of_their_own() -> None:
    table = table_of(
        row("plain, lr 1", 70, runs(60.0, 61.0, 62.5)),
        row("plain, lr 2", 10, runs(10.0, 10.1, 10.2)),
        row("norms, lr 1", 72, runs(70.0, 71.1, 72.5), control="plain, lr 1"),
        row("norms, lr 2", 80, runs(80.0, 80.2, 80.4), control="plain, lr 2"),
        control="plain at the same rate",
    )
    assert verdicts(table) == ["control", "control", "helps", "helps"]
    assert [line.claim for line in table.lines] == ["", "", "holds", "holds"]
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
    assert verdicts(table) == ["control", "failed", "to come", "to come", "cannot be told"]
    failed = table.lines[1]
    assert failed.failures == ("seed 0: loss is nan", "seed 1: out of memory", "seed 2: loss is nan")
    assert (failed.parameters, failed.flops, failed.runs, failed.difference) == (None, None, 0, None)
    assert math.isnan(failed.seconds)
    assert "Failed: h: seed 1: out of memory; seed 2: loss is nan." in footnotes(table)


def test_a_control_that_failed_leaves_nothing_to_compare_with() -> None:
    table = table_of(row("a", 78.0, (), dict.fromkeys(range(3), "x")), row("b", 70.0, runs(60.0, 61.0)))
    assert verdicts(table) == ["control", "not compared"]
    assert any(note.startswith("Not compared") for note in footnotes(table))


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
    assert line.difference.paired.std == 1.0


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


def test_parts_of_the_variance_stand_under_the_table() -> None:
    correct = [answers(right) for right in (700, 710, 720)]
    own = tuple(replace(run, correct=one) for run, one in zip(runs(70.0, 71.0, 72.0), correct, strict=True))
    table = table_of(row("a", None, own), row("b", None, runs(70.0, 71.0, 72.0)))
    (said,) = (note for note in footnotes(table) if note.startswith("Standard deviations"))
    share = np.mean(correct, axis=0)
    own_part = share.var(ddof=1) - np.mean(share * (1 - share)) / 2
    assert f"images: a: 1.00 and {100 * math.sqrt(own_part / 1000):.2f}. What the split" in said
    lines = list(csv.DictReader(io.StringIO(as_csv(table))))
    assert [bool(line["images_std_points"]) for line in lines] == [True, False]
