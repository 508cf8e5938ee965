"""Cells, and the numbers by which they are sorted."""

from __future__ import annotations

import math

import pytest

from assay.pages.report.grid import MISSING, as_number, from_markdown, number, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("78.62 ± 0.41", 78.62),
        ("-4.55 [-5.12, -3.98]", -4.55),
        ("1.33 M", 1.33e6),
        ("833 k", 833e3),
        ("12,345", 12345.0),
        ("± 1.18", 1.18),
        ("2.1e-05", 2.1e-5),
        ("2/3", 2.0),
        ("0.5 Monate", 0.5),
        ("control", None),
        (MISSING, None),
    ],
)
def test_a_written_number_is_read(text: str, value: float | None) -> None:
    assert as_number(text) == value


def test_numbers_are_sorted_by_more_than_is_shown() -> None:
    cell = number(0.98765, ".1f", scale=100, unit=" %")
    assert (cell.text, cell.value) == ("98.8 %", pytest.approx(98.765))
    for missing in (None, math.nan, math.inf):
        assert (number(missing).text, number(missing).value) == (MISSING, None)


def test_a_column_is_of_numbers_where_all_are() -> None:
    grid = written("c", ["row", "a", "b", "c"], [["1", "1.5 k", "2", MISSING], ["x", MISSING, "two", MISSING]])
    assert [head.numeric for head in grid.heads] == [False, True, False, False]
    assert [cell.value for cell in grid.rows[0]] == [None, 1500.0, None, None]


def test_a_markdown_table_is_taken_apart() -> None:
    grid = from_markdown("| a \\| b | n |\n|---|---|\n| x | +1.5 |\n| y\\|z | -2 |", "t")
    assert [head.title for head in grid.heads] == ["a | b", "n"]
    assert [[cell.text for cell in row] for row in grid.rows] == [["x", "+1.5"], ["y|z", "-2"]]
    assert grid.rows[1][1].value == -2
