"""An average that holds too much of the weights that a run began with says so."""

from __future__ import annotations

import re

import pytest

from assay.training.average import lag_remark


def test_the_remark_names_the_share_and_a_decay_that_suits() -> None:
    assert lag_remark(0.9999, 120) == (
        "train.ema 0.9999: after 120 steps 99% of the average are still the weights that the run began with; "
        "at most 0.98 suits so few steps"
    )


@pytest.mark.parametrize("steps", [3, 10, 120, 5000, 10**6])
def test_the_decay_that_it_names_gives_no_remark(steps: int) -> None:
    remark = lag_remark(1 - 1e-9, steps)
    assert remark is not None
    fitting = re.search(r"at most (0[.0-9]+) ", remark)
    assert fitting is not None
    assert lag_remark(float(fitting[1]), steps) is None
    assert float(fitting[1]) ** (steps - 1) > 0.01


def test_long_runs_and_those_of_a_step_or_two_get_none() -> None:
    assert lag_remark(0.9999, 50_000) is None
    assert lag_remark(0.98, 120) is None
    assert lag_remark(0.999, 1) is None
