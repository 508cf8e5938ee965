"""Cells, and the numbers by which they are sorted."""

from __future__ import annotations

import math

import pytest

from assay.pages.report.grid import MISSING, from_listing, number
from assay.studies.forms.columns import Column, Listing


def test_numbers_are_sorted_by_more_than_is_shown() -> None:
    cell = number(0.98765, ".1f", scale=100, unit=" %")
    assert (cell.text, cell.value) == ("98.8 %", pytest.approx(98.765))
    for missing in (None, math.nan, math.inf):
        assert (number(missing).text, number(missing).value) == (MISSING, None)


def test_a_study_s_numbers_are_sorted_by_what_is_behind_their_text() -> None:
    columns: list[Column[float]] = [
        Column("row", lambda item: f"row {item}"),
        Column("size", lambda item: f"{item / 1e6:.2f} M", lambda item: item),
        Column("gain", lambda item: "—" if item > 2e6 else "+1.00", lambda item: math.nan if item > 2e6 else 1.0004),
        Column("unknown", lambda _: "—", lambda _: None),
    ]
    grid = from_listing("c", Listing(columns, [1_330_000.0, 2_500_000.0]))
    assert [(head.title, head.numeric) for head in grid.heads] == [("row", False), ("size", True), ("gain", True)]
    assert [cell.text for cell in grid.rows[0]] == ["row 1330000.0", "1.33 M", "+1.00"]
    assert [[cell.value for cell in row] for row in grid.rows] == [[None, 1.33e6, 1.0004], [None, 2.5e6, None]]
