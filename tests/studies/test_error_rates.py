"""The verdicts' error rates on simulated tables whose truth is known: benchmarks/power.py, with fewer tables."""

import itertools
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtr

from assay.base.moderated import contrast, moderate
from assay.studies.prior import prior_deviation

SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "power.py"))
BAR = 0.06  # of tables with a false claim, at a level of 5 %
TABLES = 600
NOISE = 3 * math.sqrt(BAR * (1 - BAR) / TABLES)  # three standard errors of the share; 0.029

every_case = pytest.mark.parametrize("name", SIMULATION["cases"](4))


@every_case
def test_no_kind_of_table_has_more_false_differences(name: str) -> None:
    generator = np.random.default_rng(0)
    shares = [SIMULATION["false_claims"](cell, TABLES, generator) for cell in SIMULATION["null_cells"](name)]
    assert len(shares) == 2 * 5 * 3
    assert max(shares) <= BAR + NOISE
    assert np.mean(shares) <= BAR  # whose own noise is a fifth


@every_case
def test_no_kind_of_table_has_more_false_equalities(name: str) -> None:
    generator = np.random.default_rng(1)
    cells = list(SIMULATION["null_cells"](name))
    assert max(SIMULATION["false_claims"](cell, TABLES, generator, margin=1.0) for cell in cells) <= BAR + NOISE


@every_case
def test_no_kind_of_table_has_more_false_claims_over_the_looks_of_a_plan(name: str) -> None:
    generator = np.random.default_rng(2)
    for margin, losses in ((0.0, (0.0, 0.1)), (1.0, (0.0,))):
        for rows, lost in itertools.product((4, 8), losses):
            cell = SIMULATION["Cell"](SIMULATION["cases"](rows)[name], 10, 10, lost)
            share, _ = SIMULATION["sequential_claims"](cell, (3, 5, 10), TABLES, generator, margin)
            assert share <= BAR + NOISE


def test_the_simulation_sees_looks_that_spend_the_whole_level_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = SIMULATION["sequential_claims"]
    cell = SIMULATION["Cell"](SIMULATION["cases"](8)["half of the rows 8"], 10, 10)
    share, seeds = claims(cell, (3, 5, 10), 2000, np.random.default_rng(0))
    assert share <= BAR + NOISE
    assert 3 < seeds <= 10
    monkeypatch.setitem(claims.__globals__, "SPENT", {3: (0.05, 0.05, 0.05)})
    assert claims(cell, (3, 5, 10), 2000, np.random.default_rng(0))[0] > 0.08


def test_the_simulation_sees_a_test_that_claims_too_much() -> None:
    """Welch's test with Satterthwaite's degrees of freedom as they are: a quiet control of 10 seeds, 8 rows of 3."""
    cell = next(
        cell
        for cell in SIMULATION["null_cells"]("quiet control, rows 0.8")
        if (len(cell.deviations), cell.seeds, cell.control_seeds, cell.lost) == (9, 3, 10, 0.0)
    )
    drawn = SIMULATION["draw"](cell, 0.0, TABLES, np.random.default_rng(0))
    mean, variance = (
        np.stack(about, -1) for about in zip(*((v.mean(-1), v.var(-1, ddof=1)) for v in drawn), strict=True)
    )
    rows = moderate(mean, variance, np.array([10, *[3] * 8]), prior_deviation(), prior=0.0)
    ours, theirs = rows.variance[:, 1:] / 3, rows.variance[:, :1] / 10
    freedom = (ours + theirs) ** 2 / (ours**2 / 2 + theirs**2 / 9)
    capped = contrast(rows, slice(1, None), 0)
    p = 2 * stdtr(freedom, -abs(capped.mean) / capped.error)
    assert np.mean(p.min(-1) * 8 < 0.05) > 0.12
    assert np.mean(capped.p.min(-1) * 8 < 0.05) < BAR + NOISE


@pytest.mark.parametrize("deviation", ["all 0.8", "all 2"])
def test_intervals_cover_the_truth_of_normal_rows(deviation: str) -> None:
    cells = [cell for cell in SIMULATION["null_cells"](deviation) if not cell.lost]
    shares = [SIMULATION["coverage"](cell, TABLES, np.random.default_rng(0)) for cell in cells]
    assert min(shares) >= 0.93
    assert np.mean(shares) <= 0.99


def test_five_points_are_seen_where_the_paired_test_sees_half_of_them() -> None:
    cell = SIMULATION["Cell"]((0.8,) * 5, 3, 10)
    ours, paired = SIMULATION["power"](cell, 5.0, 2000, np.random.default_rng(0))
    assert ours > 0.9 > 0.65 > paired
