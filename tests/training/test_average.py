"""Lookahead by hand; an average that holds too much of the weights that a run began with says so."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from assay.training.average import Lookahead, average_of, lag_remark


def descend(average: Lookahead, layer: nn.Linear, steps: int) -> list[tuple[float, float]]:
    """Gradient descent on w^2 / 2 at rate 0.1; the network's weight and the slow one after each step."""
    found = []
    for _ in range(steps):
        with torch.no_grad():
            layer.weight -= 0.1 * layer.weight
        average.update_parameters(layer)
        found.append((layer.weight.item(), average.module.weight.item()))
    return found


def scalar(weight: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, weight)
    return layer


def test_lookahead_by_hand() -> None:
    """From 10 to 9 and 8.1, half of the way back to 9.05; on to 8.145 and 7.3305, half of the way back to 8.19025."""
    layer = scalar(10.0)
    average = average_of(layer, every=2, steps=4)
    assert isinstance(average, Lookahead)
    found = descend(average, layer, 4)
    wanted = [(9.0, 10.0), (9.05, 9.05), (8.145, 9.05), (8.19025, 8.19025)]
    assert found == [(pytest.approx(fast), pytest.approx(slow)) for fast, slow in wanted]


def test_the_cubic_curve_by_hand() -> None:
    """Of 2 steps the first moves 1 - 0.8 / 8 = 0.9 of the way, from 10 to 9.1; the second 0.2 from there to 8.19."""
    layer = scalar(10.0)
    average = average_of(layer, every=1, share=0.2, curve="cubic", steps=2)
    assert isinstance(average, Lookahead)
    assert [slow for _, slow in descend(average, layer, 2)] == [pytest.approx(9.1), pytest.approx(8.918)]


def test_running_statistics_move_alike_and_counts_are_copied() -> None:
    norm = nn.BatchNorm1d(1)
    average = average_of(norm, every=1, share=0.25, steps=1)
    assert average is not None
    nn.init.constant_(norm.running_mean, 8.0)
    norm.num_batches_tracked += 3
    average.update_parameters(norm)
    for network in (norm, average.module):
        assert network.running_mean.item() == 2.0
        assert network.num_batches_tracked.item() == 3


def test_the_last_step_moves_the_slow_weights_too() -> None:
    layer = scalar(10.0)
    average = average_of(layer, every=5, share=0.5, steps=2)
    assert isinstance(average, Lookahead)
    assert descend(average, layer, 2)[-1] == (pytest.approx(9.05), pytest.approx(9.05))


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
