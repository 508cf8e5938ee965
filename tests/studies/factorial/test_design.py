"""Fractional factorial designs against their textbook's, and what is told where there is none of resolution IV."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.studies.factorial.design import fraction, short_names
from assay.studies.folder import read_plan, write_plan
from assay.studies.named import find_study
from assay.studies.plan import plan_study
from assay.studies.study import Study

FACTORS = "ABCDEFGHIJKLMNOP"


def shortest_word(rows: list[tuple[int, ...]]) -> int:
    """The resolution, by search: the fewest columns whose product is constant."""
    signs = 2 * np.array(rows) - 1
    for length in range(1, signs.shape[1] + 1):
        for columns in itertools.combinations(range(signs.shape[1]), length):
            if abs(signs[:, columns].prod(axis=1).sum()) == len(rows):
                return length
    return signs.shape[1] + 1


def test_half_of_four_factors_by_hand() -> None:
    """Box, Hunter & Hunter 2005, table 6.2, with D = ABC; 1 where an odd number of A, B and C is."""
    assert fraction("ABCD") == [
        *((0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0)),
        *((1, 0, 0, 1), (1, 0, 1, 0), (1, 1, 0, 0), (1, 1, 1, 1)),
    ]


def test_a_quarter_of_six_factors_by_hand() -> None:
    """E = ABC and F = BCD (table 6.22): the defining words are ABCE, BCDF and their product ADEF."""
    rows = np.array(fraction("ABCDEF", {"E": list("ABC"), "F": list("BCD")}))
    assert len({tuple(row) for row in rows}) == 16
    for word in ("ABCE", "BCDF", "ADEF"):
        assert not (rows[:, ["ABCDEF".index(letter) for letter in word]].sum(axis=1) % 2).any()
    assert shortest_word([tuple(row) for row in rows]) == 4


@pytest.mark.parametrize(
    ("count", "runs", "resolution", "words"),
    [  # of minimum aberration (Box, Hunter & Hunter 2005, table 6.22; Fries & Hunter 1980): words of four letters
        *((3, 8, 4, 0), (4, 8, 4, 1), (5, 16, 5, 0), (6, 16, 4, 3), (7, 16, 4, 7), (8, 16, 4, 14)),
        *((6, 32, 6, 0), (7, 32, 4, 1), (8, 32, 4, 3), (9, 32, 4, 6)),
    ],
)
def test_designs_are_those_with_the_fewest_short_words(count: int, runs: int, resolution: int, words: int) -> None:
    rows = fraction(FACTORS[:count], runs=runs)
    assert len(rows) == runs
    assert shortest_word(rows) == resolution
    signs = 2 * np.array(rows) - 1
    four = itertools.combinations(range(count), 4)
    assert sum(abs(signs[:, columns].prod(axis=1).sum()) == runs for columns in four) == words


@pytest.mark.parametrize("count", range(1, 17))
def test_by_default_the_fewest_rows_of_resolution_four(count: int) -> None:
    rows = fraction(FACTORS[:count])
    assert len(rows) == min(2**count, 2 ** (1 + math.ceil(math.log2(count))))
    assert shortest_word(rows) >= min(4, count + 1)
    assert rows[0] == count * (0,)
    assert np.array(rows).sum(axis=0).tolist() == count * [len(rows) // 2]


def test_names_are_short_where_they_differ() -> None:
    assert short_names(["optim.lr", "model.name", "optim.name"]) == {
        "optim.lr": "lr",
        "model.name": "model.name",
        "optim.name": "optim.name",
    }


STUDY = """
base: simple-cnn
design: fractional
factors:
  optim.lr: [0.01, 2e-2]
  augment.cutout: [0, 8]
  augment.flip: [0, 0.5]
  loss.label_smoothing: [0, 0.1]
"""

Reader = Callable[[str], Study]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """A function that writes a study's file and finds the study."""

    def write_and_read(text: str) -> Study:
        (tmp_path / "half.yaml").write_text(text)
        return find_study(tmp_path / "half.yaml")

    return write_and_read


def test_a_file_makes_rows(read: Reader) -> None:
    study = read(STUDY)
    assert study.control == study.rows[0].name == "lr 0.01, cutout 0, flip 0, label_smoothing 0"
    assert [row.name for row in study.rows][1] == "lr 0.01, cutout 0, flip 0.5, label_smoothing 0.1"
    assert len(study.rows) == 8
    assert len(read(STUDY + "runs: 16").rows) == 16
    assert read(STUDY + "generators: {augment.cutout: [optim.lr, augment.flip, loss.label_smoothing]}").design


def test_the_control_is_in_the_design_wherever_it_stands(read: Reader) -> None:
    study = read(STUDY + "control: {augment.cutout: 8}")
    assert study.control == study.rows[0].name == "lr 0.01, cutout 8, flip 0, label_smoothing 0"
    assert study.design
    assert study.design.factors["augment.cutout"] == (8, 0)
    recipe = study.recipe(study.rows[-1])
    assert (recipe.optim.lr, recipe.augment.cutout, recipe.augment.flip) == (0.02, 0, 0.5)


def test_a_plan_keeps_its_design(read: Reader, tmp_path: Path) -> None:
    plan = plan_study(read(STUDY))
    write_plan(plan, tmp_path / "kept", "half")
    assert read_plan(tmp_path / "kept").setting.design == plan.setting.design == plan.study.design


@pytest.mark.parametrize(
    "design",
    [
        3,
        {},
        {"factors": {"optim.lr": [1, 2]}},
        {"factors": [], "levels": {"a": []}},
        {"factors": {}, "levels": {"a": []}},
        {"factors": {"optim.lr": [1, 2]}, "levels": {}},
        {"factors": {"optim.lr": [1, 2]}, "levels": [[0]]},
        {"factors": {"optim.lr": [1]}, "levels": {"a": [0]}},
        {"factors": {"optim.lr": [1, 2]}, "levels": {"a": [2]}},
        {"factors": {"optim.lr": [1, 2]}, "levels": {"a": [0, 1]}},
    ],
)
def test_a_damaged_design_is_named(design: Any, read: Reader, tmp_path: Path) -> None:
    write_plan(plan_study(read(STUDY)), tmp_path / "kept", "half")
    written = json.loads((tmp_path / "kept" / "study.json").read_text())
    written["setting"]["design"] = design
    (tmp_path / "kept" / "study.json").write_text(json.dumps(written))
    with pytest.raises(ValueError, match="design: expected two values of each factor, and 0 or 1"):
        read_plan(tmp_path / "kept")


C, D = "augment.flip", "loss.label_smoothing"
MISTAKES: dict[str, Any] = {
    "runs: 4": r"runs: 4 rows of 4 factors are no design of resolution IV: expected 8 or 16; did you mean 8\?",
    "runs: 17": r"runs: 17 rows .* expected 8 or 16; did you mean 16\?",
    "runs: many": r"runs: 'many' rows .* expected 8 or 16; did you mean 8\?",
    "generators: [1]": r"generators: expected a mapping of factors to lists of others, not \[1\]",
    f"generators: {{{D}: [optim.lr, augment.cutout]}}": r"generators: resolution III, in which main effects are mixed "
    r"with others or with two-factor interactions; expected IV or more; did you mean generators "
    r"loss\.label_smoothing: optim\.lr, augment\.cutout, augment\.flip\?",
    f"generators: {{{D}: [optim.lr]}}": "generators: resolution II,",
    f"generators: {{{C}: [optim.lr, augment.cutout], {D}: [optim.lr]}}": r"did you mean runs 8, without generators\?",
    f"generators: {{{D}: [optim.lrr]}}": r"generators: unknown factor 'optim\.lrr': did you mean optim\.lr\?",
    "generators: {optim.momentum: [optim.lr]}": "generators: unknown factor 'optim.momentum'",
    f"generators: {{{D}: optim.lr}}": r"generators: .*: expected a list of different factors, not 'optim\.lr'",
    f"generators: {{{D}: [optim.lr, optim.lr]}}": "expected a list of different factors",
    f"generators: {{{D}: [{C}], {C}: [optim.lr]}}": r"augment\.flip is generated itself; choose from optim",
    f"generators: {{{D}: [optim.lr, augment.cutout, {C}]}}\nruns: 16": r"runs: these generators make 8 rows, not 16; "
    r"did you mean 8\?",
    "control: {optim.lr: 0.05}": r"control: optim\.lr: expected 0\.01 or 0\.02, not 0\.05",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_told_in_one_line(read: Reader, line: str) -> None:
    with pytest.raises(ValueError, match=rf"^[^\n]*half\.yaml: [^\n]*{MISTAKES[line]}[^\n]*$"):
        read(STUDY + line)


def test_what_other_designs_do_not_take(read: Reader) -> None:
    with pytest.raises(ValueError, match=r"factors: optim\.lr: expected two values for design fractional, not 3$"):
        read(STUDY.replace("[0.01, 2e-2]", "[0.01, 0.02, 0.05]"))
    with pytest.raises(ValueError, match=r"design grid takes no runs; did you mean design fractional\?$"):
        read(STUDY.replace("fractional", "grid") + "runs: 8")
    with pytest.raises(ValueError, match="factors: 17 are more than 16, the most of design fractional"):
        fraction([*FACTORS, "Q"])
