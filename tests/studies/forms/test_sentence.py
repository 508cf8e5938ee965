"""What stands above a table in words: effects with intervals, runs and budget, and no more than the verdicts say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tables import CONTROL, row, runs, table_of

from assay.studies.forms.formats import as_latex, as_markdown
from assay.studies.forms.sentence import summary

BETTER, WORSE = runs(81.0, 82.0, 83.0), runs(61.0, 62.0, 63.0)
ALIKE = runs(*[70.9 + place / 100 for place in range(40)])
CONTROLS = row("a", None, runs(*[70.9 + place / 100 for place in range(40)]))


def test_rows_stand_by_their_verdicts_the_largest_effect_first() -> None:
    table = table_of(CONTROLS, row("bit", None, runs(75.0, 75.1, 74.9)), row("b", None, BETTER), row("c", None, WORSE))
    effects = {line.name: line.difference for line in table.lines}
    assert [line.verdict for line in table.lines] == ["control", "helps", "helps", "hurts"]
    texts = {
        name: f"({about.mean:+.2f} points, 95 % interval {about.low:+.2f} to {about.high:+.2f})"
        for name, about in effects.items()
        if about
    }
    assert summary(table) == (
        f"Against a: b helps {texts['b']}, bit helps {texts['bit']}; c hurts {texts['c']}. "
        "3 runs of a row, 40 of its control; the published setting."
    )


def test_no_difference_is_said_with_its_margin_and_doubt_without_an_effect() -> None:
    table = table_of(CONTROLS, row("alike", None, ALIKE), row("d", None, runs(70.0, 73.0, 71.0)), budget="quick")
    assert [line.verdict for line in table.lines[1:]] == ["makes no difference", "cannot be told"]
    said = summary(table)
    assert said.startswith("Against a: alike makes no difference of 1 point (+0.00 points, 95 % interval -")
    assert said.endswith(
        "; whether d helps cannot be told. 3 to 40 runs of a row, 40 of its control; "
        "budget quick, not the published setting."
    )


@pytest.mark.parametrize(("count", "said"), [(1, "whether 0 helps"), (3, "0, 1 or 2 help"), (5, "whether 5 rows help")])
def test_many_doubtful_rows_are_counted(count: int, said: str) -> None:
    few = [row(str(place), None, runs(70.0, 75.0)) for place in range(count)]
    text = summary(table_of(CONTROL, *few))
    assert said in text
    assert text.endswith("Fewer than 3 runs of a row or of its control tell nothing.")


def test_names_with_commas_stand_in_quotes() -> None:
    rows = (row(name, None, runs(70.0, 75.0, 72.0)) for name in ("Adam, lr 0.1", "SGD", "Adagrad, lr 0.1"))
    said = 'whether "Adam, lr 0.1", SGD or "Adagrad, lr 0.1" help cannot be told.'
    assert said in summary(table_of(CONTROL, *rows))


def test_a_row_with_a_control_of_its_own_names_it() -> None:
    table = table_of(CONTROLS, row("b", None, BETTER, control="a"), control=None)
    assert summary(table).startswith("B (against a) helps (+")


def test_nothing_is_said_of_a_table_that_compares_nothing() -> None:
    assert summary(table_of(row("only", None, BETTER), control=None)) == ""
    assert summary(table_of(row("a", None), row("b", None))) == ""


def test_tables_begin_with_it_and_state_what_the_source_leaves_open() -> None:
    table = table_of(CONTROLS, row("b", None, BETTER), notes=("The report does not give k.",))
    assert as_markdown(table).startswith(summary(table))
    assert rf"\caption{{{summary(table)[:40]}" in as_latex(table).replace(r"\%", "%")
    assert "\n- The report does not give k.\n" in as_markdown(table)
    nothing = replace(table, lines=table.lines[:1])
    assert as_markdown(nothing).startswith("- study: stem")
