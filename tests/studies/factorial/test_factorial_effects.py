"""Main effects and interactions: by hand, against ordinary least squares, and their error rates."""

from __future__ import annotations

import csv
import io
import itertools
import math
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from rich.console import Console
from tables import SETTING

from assay.base.moderated import Rows, moderate
from assay.pages.report.study import effects as on_page
from assay.recipe.recipe import Recipe
from assay.studies.factorial.design import Design, fraction
from assay.studies.factorial.effects import Effect, contrasts, effects, interactions
from assay.studies.folder import publish
from assay.studies.forms.formats import as_latex, as_markdown
from assay.studies.forms.terminal import as_rich
from assay.studies.results import Result, RowResults, StudyResults
from assay.studies.study import Row
from assay.studies.table import make_table

SIMULATION = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "power.py"))
HALF = fraction("ABCD")
FIELDS = ("optim.lr", "augment.cutout", "augment.flip", "loss.label_smoothing")


def designed(rows: list[tuple[int, ...]], fields: tuple[str, ...] = FIELDS) -> Design:
    return Design(dict.fromkeys(fields, (0, 1)), {"".join(map(str, row)): row for row in rows})


def results(design: Design, values: np.ndarray) -> list[RowResults]:
    """Rows with made-up runs, ``[rows, runs]``."""
    return [
        RowResults(Row(name), Recipe(), tuple(Result(seed, float(one)) for seed, one in enumerate(own)))
        for name, own in zip(design.levels, values, strict=True)
    ]


def by_name(found: tuple[Effect, ...]) -> dict[str, Effect]:
    return {one.name: one for one in found}


def test_half_of_four_factors_by_hand() -> None:
    """The first factor adds 2 points, the second takes 1, and both together add 3 more."""
    means = np.array([50 + 2 * a - b + 3 * a * b for a, b, _, _ in HALF])
    assert means.tolist() == [50, 50, 49, 49, 52, 52, 54, 54]
    found = by_name(effects(designed(HALF), results(designed(HALF), means[:, None] + [-0.1, 0, 0.1]), 0.8))
    points = {name: one.points for name, one in found.items()}
    assert points == pytest.approx(
        {
            "lr: 1 for 0": 3.5,  # (52 + 52 + 54 + 54) / 4 - (50 + 50 + 49 + 49) / 4
            "cutout: 1 for 0": 0.5,
            "flip: 1 for 0": 0.0,
            "label_smoothing: 1 for 0": 0.0,
            "lr x cutout": 1.5,  # half of 5 - 2, the effects of lr with cutout and without
            "lr x flip": 0.0,
            "lr x label_smoothing": 0.0,
        },
        abs=1e-12,
    )
    aliases = {name: one.aliases for name, one in found.items() if " x " in name}
    assert aliases == {
        "lr x cutout": ("flip x label_smoothing",),
        "lr x flip": ("cutout x label_smoothing",),
        "lr x label_smoothing": ("cutout x flip",),
    }
    assert found["lr: 1 for 0"].verdict == "helps"
    assert found["lr x cutout"].verdict == "interact"
    assert found["flip: 1 for 0"].verdict == "cannot be told"


def test_a_quarter_of_six_factors_by_hand() -> None:
    """E = ABC, F = BCD: of 15 interactions 7 sets are told apart (Box, Hunter & Hunter 2005, section 6.8)."""
    rows = fraction("ABCDEF", {"E": list("ABC"), "F": list("BCD")})
    signs = 2.0 * np.array(rows) - 1
    columns, names = interactions(signs, "ABCDEF")
    sets = {frozenset({first, *others}) for first, others in names}
    assert sets == {
        frozenset(text.split(", "))
        for text in (
            *("A x B, C x E", "A x C, B x E", "A x D, E x F", "A x E, B x C, D x F", "A x F, D x E"),
            *("B x D, C x F", "B x F, C x D"),
        )
    }
    assert np.array_equal(columns.T @ columns, 16 * np.eye(7))
    assert not (columns.T @ signs).any()


def test_effects_and_errors_are_those_of_least_squares() -> None:
    """With one variance for all rows and nothing borrowed: twice the coefficients, and twice their errors."""
    generator = np.random.default_rng(0)
    rows = fraction("ABCDEF")
    signs = 2.0 * np.array(rows) - 1
    columns = np.hstack([signs, interactions(signs, "ABCDEF")[0]])
    values = generator.normal(60, 2, (16, 4))
    moderated = moderate(values.mean(1), values.var(1, ddof=1), np.array(4), 1.0, prior=0.0)
    made = contrasts(moderated, columns)
    full = np.hstack([columns, *(column[:, None] for column in left_over(columns))])
    fit = sm.OLS(values.ravel(), sm.add_constant(np.repeat(full, 4, axis=0))).fit()
    assert made.mean == pytest.approx(2 * fit.params[1 : 1 + columns.shape[1]])
    assert made.error == pytest.approx(2 * fit.bse[1 : 1 + columns.shape[1]])
    equal = contrasts(Rows(moderated.mean, np.full(16, 4.0), moderated.freedom, moderated.n), columns)
    assert equal.freedom == pytest.approx(fit.df_resid)


def left_over(columns: np.ndarray) -> list[np.ndarray]:
    """The columns of higher interactions, which with the others and a constant fit every mean exactly."""
    found: list[np.ndarray] = []
    for some in itertools.combinations(range(4), 3):
        product = columns[:, some].prod(axis=1)
        known = np.stack([*columns.T, np.ones(16), *found])
        if not (np.abs(known @ product) > 0).any():
            found.append(product)
    assert len(found) == 15 - columns.shape[1]
    return found


@pytest.mark.parametrize("factors", [4, 6])
@pytest.mark.parametrize("name", SIMULATION["cases"](4))
def test_false_interactions_are_as_rare_as_the_level(name: str, factors: int) -> None:
    generator, tables = np.random.default_rng(factors), 1000
    for seeds in SIMULATION["SEEDS"]:
        cell = SIMULATION["Cell"](SIMULATION["cases"](2 ** (1 + math.ceil(math.log2(factors))) - 1)[name], *seeds)
        share = SIMULATION["false_interactions"](factors, cell, tables, generator)
        assert share <= 0.06 + 3 * math.sqrt(0.06 * 0.94 / tables)


def test_the_simulation_sees_interactions_that_are_tested_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven sets at the level each: a false one in far more than 5 % of tables."""
    cell = SIMULATION["Cell"](SIMULATION["cases"](15)["all 2"], 10, 10)
    false = SIMULATION["false_interactions"]
    monkeypatch.setitem(false.__globals__, "LEVEL", 7 * 0.05)
    assert false(6, cell, 1000, np.random.default_rng(0)) > 0.2


def test_few_runs_give_no_verdict_and_a_missing_row_no_effects() -> None:
    design = designed(HALF)
    rows = results(design, np.arange(8.0)[:, None] * 10 + [0, 0.1])
    assert {one.verdict for one in effects(design, rows, 0.8)} == {"cannot be told"}
    single = effects(design, results(design, np.arange(8.0)[:, None]), 0.8)
    assert single[0].points == pytest.approx(4)
    assert math.isnan(single[0].p)
    assert effects(design, rows[:-1], 0.8) == ()


def test_a_study_shows_its_effects_in_every_form(tmp_path: Path) -> None:
    design = designed(HALF)
    means = np.array([50 + 2 * a - b + 3 * a * b for a, b, _, _ in HALF])
    rows = tuple(results(design, means[:, None] + [-0.1, 0, 0.1]))
    table = make_table(StudyResults(replace(SETTING, control="0000", design=design), rows))
    text = as_markdown(table)
    assert "## Main effects and interactions" in text
    assert ". Over all rows: lr: 1 for 0 helps (+3.50 points, 95 % interval +" in text
    assert "; or flip x label_smoothing). 3 runs of a row" in text
    assert "| lr x cutout" in text
    assert "flip x label_smoothing" in text
    assert "p corrected by Holm over the 4 main effects and, by themselves, over the 3 sets of interactions" in text
    assert "lr x cutout" in as_latex(table)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(as_rich(table, 200))
    assert "lr x cutout" in console.export_text()
    assert on_page(table).rows[4][0].text == "lr x cutout"
    publish(table, "", tmp_path)
    with (tmp_path / "effects.csv").open() as file:
        written = {row["name"]: row for row in csv.DictReader(file)}
    assert float(written["lr x cutout"]["points"]) == pytest.approx(1.5)
    assert written["lr x cutout"]["aliases"] == "flip x label_smoothing"
