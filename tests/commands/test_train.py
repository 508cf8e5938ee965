"""The end of `assay train` in words."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from assay.commands.train import print_summary
from assay.run.record import RunRecord


@pytest.fixture
def record(finished_run: Path) -> RunRecord:
    """A run that looks as if an earlier version had made it."""
    record = RunRecord.read(finished_run)
    figures = {"images": 49, "accuracy": 40 / 49, "top5": 1.0, "loss": 0.5}
    summary = {name: value for name, value in record.summary.items() if name != "classes"}
    return replace(record, summary={**summary, "held_out": figures, "test": figures})


def printed(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> str:
    print_summary(record)
    return capsys.readouterr().out


def chosen(record: RunRecord, select: str, images: int = 49, epochs: int = 2) -> RunRecord:
    """The record as of a run whose epoch was chosen in that way, of so many epochs, by so many images."""
    split = {**record.summary["test"], "images": images}
    summary = {**record.summary, "held_out": split, "test": split, "epochs": epochs}
    return replace(record, recipe=record.recipe.but({"train.select": select}), summary=summary)


def test_accuracies_have_intervals(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(record, capsys).splitlines()
    assert "  held-out  accuracy 81.63% [68.6, 90.0], loss 0.5000 on 49 images" in lines
    assert "  test      accuracy 81.63% [68.6, 90.0], loss 0.5000 on 49 images" in lines


def test_top5_is_printed_of_more_than_ten_classes(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    few, many = (replace(record, summary={**record.summary, "classes": classes}) for classes in (10, 11))
    assert "top-5" not in printed(few, capsys)
    assert "accuracy 81.63% [68.6, 90.0], top-5 100.00% [92.7, 100.0], loss" in printed(many, capsys)


@pytest.mark.parametrize("select", ["held-out", "test"])
def test_a_choice_of_the_epoch_by_few_images_is_noted(
    record: RunRecord, select: str, capsys: pytest.CaptureFixture[str]
) -> None:
    note = (
        "  note      the epoch was chosen by 49 images: differences of fewer than 6 images (12.2 points) "
        "between epochs are noise (McNemar's test at 5 %)"
    )
    assert note in printed(chosen(record, select), capsys).splitlines()


def test_no_other_choice_is_noted(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    for other in (chosen(record, "last"), chosen(record, "held-out", images=300), chosen(record, "held-out", epochs=1)):
        assert "note" not in printed(other, capsys)


@pytest.mark.parametrize(
    "lacks", ["parameters", "epochs", "selection", "test.accuracy", "test.images", "held_out.loss"]
)
def test_a_summary_without_figures_is_refused_in_a_line(
    lacks: str, record: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = copy.deepcopy(dict(record.summary))
    *splits, name = lacks.split(".")
    del (summary[splits[0]] if splits else summary)[name]
    with pytest.raises(ValueError, match=rf"summary\.json: lacks figures, .*'{name}'"):
        print_summary(replace(record, summary=summary))
    assert capsys.readouterr().out == ""
