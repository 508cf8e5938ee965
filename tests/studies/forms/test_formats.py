"""A study's table in its four forms: nothing is lost, nothing breaks the markup, nothing passes for what it is not."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from assay.base.statistics import estimate, paired_difference
from assay.recipe.recipe import Recipe
from assay.studies.forms.columns import accuracy, difference, quantity, rate
from assay.studies.forms.formats import as_csv, as_latex, as_markdown
from assay.studies.forms.terminal import as_rich
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.study import Row
from assay.studies.table import Table, make_table

AWKWARD = r"a|b_c [bold]x[/bold] 50 % & $y$ \z #1 {q} ~t^2 *"
SETTING = Setting(
    "activation",
    "Which activation?",
    "R2 & more, 2.2.5",
    "one run, no seed",
    "quick",
    "5 epochs in place of 50",
    "test",
    (0, 1, 2),
    "relu",
    hardware="2 cores",
    command="assay study run activation",
)


def made_table(name: str = "elu", control: str | None = "relu") -> Table:
    def results(*accuracies: float) -> tuple[Result, ...]:
        return tuple(
            Result(seed, value, 1_330_000, 74_200_000, 193.0, 1290.0, None, {"held-out": value - 1})
            for seed, value in enumerate(accuracies)
        )

    rows = (
        RowResults(Row("relu", published=78.62), Recipe(), results(70.0, 71.0, 72.0)),
        RowResults(Row(name, published=74.07), Recipe(), results(66.1, 66.9, 68.0)),
        RowResults(Row("tanh", published=74.66), Recipe(), (), dict.fromkeys(range(3), "loss is nan")),
    )
    return make_table(StudyResults(replace(SETTING, control=control), rows))


def printed(table: Table, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(as_rich(table, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_numbers_for_people() -> None:
    assert accuracy(estimate([78.0, 79.0, 80.0])) == "79.00 ± 2.48"
    assert (accuracy(estimate([78.0])), accuracy(estimate([]))) == ("78.00", "—")
    pairs = paired_difference({0: 66.1, 1: 66.9, 2: 68.0}, {0: 70.0, 1: 71.0, 2: 72.0})
    assert difference(pairs) == "-4.00 [-4.25, -3.75]"
    assert (difference(paired_difference({0: 2.0}, {0: 1.5})), difference(None)) == ("+0.50", "—")
    assert difference(paired_difference({0: 1.0}, {0: 1.001})) == "+0.00"  # no minus before nothing
    counts = (0, 512, 999, 999_600, 1_330_000, 74_200_000, 1.8e9, 2.05e13)
    assert [quantity(count) for count in counts] == [
        "0", "512", "999", "1.00 M", "1.33 M", "74.2 M", "1.80 G", "20.5 T",
    ]  # fmt: skip
    assert [rate(number) for number in (193.4, 1290.0, 9.53, 0.25)] == ["193", "1,290", "9.5", "0.25"]


def cells_of(markdown: str) -> list[list[str]]:
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.replace(r"\|", "¦").strip("|").split("|")] for line in rows]


def test_markdown() -> None:
    text = as_markdown(made_table())
    titles, rule, control, elu, failed = cells_of(text)
    said = dict(zip(titles, elu, strict=True))
    assert said == {
        "row": "elu",
        "published": "74.07",
        "measured": "67.00 ± 2.37",
        "held-out": "66.00",
        "published difference": "-4.55",
        "difference": "-4.00 [-6.35, -1.65]",
        "p": "0.011",
        "p, paired": "0.00021",
        "verdict": "hurts",
        "published claim": "holds",
        "beats control": "0 % [0, 50]",
        "runs": "3/3",
        "seeds for 1 point": "12 to 81",
        "parameters": "1.33 M",
        "FLOPs": "74.2 M",
        "seconds": "193",
        "images/s": "1,290",
    }
    assert {titles[place] for place, dashes in enumerate(rule) if dashes.endswith(":")} == set(titles) - {
        "row",
        "verdict",
        "published claim",
    }
    assert (control[0], failed[0], failed[2], failed[11]) == ("relu", "tanh", "—", "0/3")
    assert failed[-4:] == ["—"] * 4  # nothing is known of its costs
    assert "- budget: quick: 5 epochs in place of 50; published figures are of the full setting" in text
    assert "ON THE TEST SPLIT" in text
    assert "- Failed: tanh: seed 0: loss is nan;" in text


def test_markdown_keeps_awkward_names_in_one_cell() -> None:
    rows = cells_of(as_markdown(made_table(AWKWARD)))
    assert {len(row) for row in rows} == {17}
    assert rows[3][0] == r"a\¦b_c [bold]x[/bold] 50 % & \$y\$ \\z #1 {q} \~t^2 \*".replace(r"\¦", "¦")


def test_latex() -> None:
    text = as_latex(made_table(AWKWARD))
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{table}", r"\end{table}", "lrrrrrrrllrrrrrrr"):
        assert text.count(part) == 1
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption{"))
    assert "Budget: quick: 5 epochs in place of 50; published figures are of the full setting." in caption
    assert "ON THE TEST SPLIT" in caption
    assert r"R2 \& more, 2.2.5." in caption
    assert "Which activation? Source" in caption
    row = next(line for line in text.splitlines() if line.startswith(" a|b"))
    assert r"a|b\_c [bold]x[/bold] 50 \% \& \$y\$ \textbackslash{}z \#1 \{q\} \textasciitilde{}t\^{}2 *" in row
    assert row.replace(r"\&", "").count("&") == 16


def test_latex_does_not_take_a_name_in_brackets_for_a_height() -> None:
    text = as_latex(made_table("[1, 2]"))
    assert "\\\\\n {}[1, 2]" in text
    assert "\\\\\n [" not in text


def test_latex_keeps_the_star_of_a_name_and_the_brackets_of_the_first() -> None:
    assert "\\\\\n {}*tuned" in as_latex(made_table("*tuned"))
    table = made_table()
    first = replace(table, lines=(replace(table.lines[0], row=Row("[1, 2]")), *table.lines[1:]))
    assert "\\midrule\n {}[1, 2]" in as_latex(first)


def test_latex_has_no_paragraph_in_the_caption_or_a_cell() -> None:
    table = made_table("two\n\nlines")
    text = as_latex(replace(table, setting=replace(table.setting, purpose="Which\n\n  activation?")))
    assert "Purpose: Which activation? Source" in text
    assert "\n two lines " in text
    assert "\n\n" not in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[x](y)", r"[x\](y)"),
        ("![i](y)", r"![i\](y)"),
        ("[x][y]", r"[x\][y]"),
        ("&lt; &#60; R&D", r"\&lt; \&#60; R&D"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_markdown_makes_no_link_and_reads_no_code(name: str, shown: str) -> None:
    assert cells_of(as_markdown(made_table(name)))[3][0] == shown


def test_published_seconds_are_shown_where_a_row_has_them() -> None:
    table = made_table()
    timed = replace(table, lines=(replace(table.lines[0], row=Row("relu", seconds=1234.0)), *table.lines[1:]))
    titles, _, first, second, _ = cells_of(as_markdown(timed))
    assert (titles[-1], first[-1], second[-1]) == ("published seconds", "1,234", "—")
    assert "published seconds" in as_latex(timed)
    assert "published seconds" not in as_markdown(table) + as_latex(table)
    assert [line["published_seconds_per_run"] for line in csv.DictReader(io.StringIO(as_csv(timed)))] == [
        "1234.0", "", "",
    ]  # fmt: skip


def test_csv_is_exact_and_every_line_says_what_it_is() -> None:
    table = made_table(AWKWARD + "\n,\"'")
    control, elu, failed = csv.DictReader(io.StringIO(as_csv(table)))
    assert elu["row"] == table.lines[1].name
    for line in (control, elu, failed):
        assert (line["budget"], line["selection"], line["study"]) == ("quick", "test", "activation")
        assert line["budget_in_words"] == "5 epochs in place of 50"
    about = table.lines[1].difference
    assert about is not None
    assert float(elu["difference_low_points"]) == about.low  # to the last digit
    assert float(elu["accuracy_percent"]) == np.mean([66.1, 66.9, 68.0])
    assert float(elu["p_corrected"]) == table.lines[1].p
    assert float(elu["paired_p_corrected"]) == table.lines[1].p_paired
    assert float(elu["difference_freedom"]) == about.freedom
    assert elu["published_claim"] == "holds"
    assert (elu["pairs"], elu["parameters"], elu["verdict"], elu["test"]) == ("3", "1330000", "hurts", "welch")
    assert elu["held_out_selection_accuracy_percent"] == "66.0"
    assert (elu["seeds"], elu["accuracies_percent"]) == ("0 1 2", "0:66.1 1:66.9 2:68.0")
    assert (float(elu["p_uncorrected"]), elu["rows_compared"]) == (table.lines[1].p_uncorrected, "1")
    assert (elu["purpose"], failed["accuracies_percent"]) == ("Which activation?", "")
    empty = (
        "accuracy_percent",
        "difference_points",
        "p_corrected",
        "parameters",
        "seconds_per_run",
        "seeds_needed_low",
    )
    assert {failed[name] for name in empty} == {""}
    assert failed["failures"] == "seed 0: loss is nan; seed 1: loss is nan; seed 2: loss is nan"
    assert None not in elu  # as many cells as titles


@pytest.mark.parametrize("name", ["elu", AWKWARD, "a long name of a row that says what differs in many words"])
def test_terminal_of_100_columns(name: str) -> None:
    text = printed(made_table(name))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    for part in (
        "67.00 ± 2.37",
        "66.00",
        "-4.00",
        "[-6.35, -1.65]",
        "hurts (published: holds)",
        "1.33 M",
        "74.2 M",
        "193",
        "1,290",
    ):
        assert part in text
    assert all(word in text for word in name.split())  # whole words
    assert "ON THE TEST SPLIT" in text
    assert "quick: 5 epochs in place of 50" in text


@pytest.mark.parametrize("width", [79, 60, 59, 40])
def test_narrow_terminal_cuts_no_name_and_no_number(width: int) -> None:
    table = made_table("a row that differs")
    same = replace(table.lines[0], row=Row("relu again"), verdict="cannot be told", test="mcnemar")
    setting = replace(table.setting, command="assay study run " + "x" * 100)
    text = printed(replace(table, setting=setting, lines=(*table.lines, same)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for part in ("67.00", "± 2.37", "-4.00", "1.33 M", "74.2 M", "193", "tanh", "differs", "told", "†"):
        assert part in text
    assert ("74.07" in text, "[-6.35, -1.65]" in text, "1,290" in text) == (False, width >= 60, width >= 60)
    assert "columns are left out" in " ".join(text.split())
    assert "".join(text.split()).count("x" * 100) == 1  # folded, not cut


def test_terminal_of_80_columns_leaves_nothing_out() -> None:
    text = printed(made_table(), 80)
    assert "74.07" in text
    assert "columns are left out" not in text


def test_terminal_shows_markup_in_a_name_as_it_is() -> None:
    assert "[bold]x[/bold]" in printed(made_table("[bold]x[/bold]"), 200)


def test_terminal_counts_the_runs_of_an_unfinished_row() -> None:
    table = made_table()
    unfinished = replace(table, lines=(replace(table.lines[0], runs=2), *table.lines[1:]))
    assert "(2 of 3" in printed(unfinished, 200)
    assert "(" not in "".join(line for line in printed(table, 200).splitlines() if line.startswith(" tanh"))


def test_without_a_control_and_without_held_out_figures() -> None:
    table = made_table(control=None)
    table = replace(table, lines=tuple(replace(line, held_out=None) for line in table.lines))
    titles = cells_of(as_markdown(table))[0]
    assert "held-out" not in titles
    assert "control" not in as_markdown(table)
    assert printed(table)
    assert as_latex(table)
