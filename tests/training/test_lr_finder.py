"""The learning-rate finder on a quadratic, whose divergence is known; and that it leaves no trace."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from torch.testing import assert_close

from assay.models import build_model
from assay.training.loop import Update
from assay.training.lr_finder import Sweep, sweep_rates
from assay.training.precision import Precision


class Point(nn.Module):
    """A weight, whatever the images."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([start], dtype=torch.float64))

    def forward(self, _images: Tensor) -> Tensor:
        return self.weight.view(1, 1)


def endless() -> Iterator[tuple[Tensor, Tensor]]:
    return itertools.repeat((torch.zeros(1), torch.zeros(1)))


def plain(optimizer: torch.optim.Optimizer) -> Update:
    """Without a schedule, in float32."""
    return Update(optimizer, LambdaLR(optimizer, lambda _: 1.0), Precision.named("fp32", torch.device("cpu")))


def bowl(curvature: float):
    return lambda weight, _targets, _images: (curvature / 2 * weight**2 + 1e-3).sum()


@pytest.mark.parametrize("curvature", [0.5, 4.0, 300.0])
def test_on_a_quadratic_it_stays_below_the_rate_that_diverges(curvature: float) -> None:
    """Descent on L w^2 / 2 multiplies w by 1 - rate L in a step: it diverges above 2 / L, and is best at 1 / L."""
    point = Point(3.0)
    optimizer = torch.optim.SGD(point.parameters(), lr=1.0)
    sweep = sweep_rates(point, endless(), plain(optimizer), bowl(curvature), lr=1.0, high=100.0, steps=200)
    weight, expected = 3.0, []
    for rate in sweep.rates:
        expected.append(curvature / 2 * weight**2 + 1e-3)
        weight *= 1 - rate * curvature
    np.testing.assert_allclose(sweep.losses, expected, rtol=1e-3)  # the loop takes scores in float32
    assert sweep.rates[-1] > 2 / curvature  # it ended because the loss grew
    assert len(sweep.rates) < 200
    assert sweep.smoothed[-1] > 4 * min(sweep.smoothed)
    assert sweep.smoothed[-2] <= 4 * min(sweep.smoothed)
    assert 0.001 / curvature < sweep.suggestion < 2 / curvature
    assert sweep.suggestion == min(sweep.steepest, sweep.tenth)


def test_rates_and_average_are_the_formulas() -> None:
    losses = iter([3.0, 2.0, 4.0, 1.0, 2.5])
    point = Point(1.0)
    optimizer = torch.optim.SGD(point.parameters(), lr=1.0)
    sweep = sweep_rates(
        point,
        itertools.islice(endless(), 5),
        plain(optimizer),
        lambda weight, _targets, _images: weight.sum() * 0 + next(losses),
        lr=1.0,
        low=1e-4,
        high=1.0,
        steps=9,
        smoothing=0.5,
    )
    assert sweep.rates == pytest.approx([1e-4 * 10 ** (step / 2) for step in range(5)])  # the batches end
    assert sweep.losses == (3.0, 2.0, 4.0, 1.0, 2.5)
    weights = [[0.5**age for age in reversed(range(count))] for count in range(1, 6)]
    assert sweep.smoothed == pytest.approx([np.average(sweep.losses[: len(known)], weights=known) for known in weights])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_it_ends_at_a_loss_that_is_not_finite(bad: float) -> None:
    losses = itertools.chain([1.0, 0.875, bad], itertools.repeat(0.5))
    point = Point(1.0)
    optimizer = torch.optim.SGD(point.parameters(), lr=1.0)
    sweep = sweep_rates(point, endless(), plain(optimizer), lambda w, _t, _i: w.sum() * 0 + next(losses), lr=1.0)
    assert sweep.losses == (1.0, 0.875)
    with pytest.raises(ValueError, match="the very first loss is not finite"):
        sweep_rates(point, endless(), plain(optimizer), lambda w, _t, _i: w.sum() * bad, lr=1.0)


def test_the_suggestions_by_hand() -> None:
    """Ten flat steps, a fall that is steepest at 1e-2, the minimum at 1e0, a rise."""
    rates = tuple(np.geomspace(1e-12, 1e1, 14))
    smoothed = (*[5.0] * 9, 4.8, 3.0, 1.5, 1.0, 9.0)
    sweep = Sweep(rates, smoothed, smoothed)
    assert sweep.tenth == pytest.approx(0.1)
    assert sweep.steepest == pytest.approx(1e-2)  # slopes there: -1.5 (one side), -1, -0.5
    assert sweep.suggestion == pytest.approx(1e-2)
    early = Sweep(rates[:3], smoothed[8:11], smoothed[8:11])  # too short for slopes
    assert early.steepest == early.tenth == rates[2] / 10


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_training_goes_on_as_if_nothing_had_been(kind: type[torch.optim.Optimizer]) -> None:
    torch.manual_seed(0)
    network = build_model("vgg11", classes=3, width=1 / 8, batch_norm=True, dropout=0.5)
    network.features[0].requires_grad_(False)
    optimizer = kind(network.parameters(), lr=0.01, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    F.cross_entropy(network(images), labels).backward()
    optimizer.step()
    network.eval()
    update = plain(optimizer)
    kept = copy.deepcopy((network.state_dict(), optimizer.state_dict(), torch.get_rng_state()))
    gradients = {name: None if p.grad is None else p.grad.clone() for name, p in network.named_parameters()}
    modes: list[bool] = []

    def loss_fn(scores: Tensor, targets: Tensor, _images: Tensor) -> Tensor:
        torch.rand(1)
        return F.cross_entropy(scores, targets)

    def set_mode(copied: nn.Module) -> None:
        assert copied is not network
        assert not copied.features[0].weight.requires_grad
        modes.append(True)
        copied.train()

    sweep = sweep_rates(
        network, itertools.repeat((images, labels), 8), update, loss_fn, lr=0.01, steps=8, set_mode=set_mode
    )
    assert len(set(sweep.losses)) > 1
    assert modes == [True]
    assert_close(network.state_dict(), kept[0], rtol=0, atol=0)
    assert str(optimizer.state_dict()) == str(kept[1])
    assert torch.equal(torch.get_rng_state(), kept[2])
    assert not network.training
    for name, parameter in network.named_parameters():
        before = gradients[name]
        assert parameter.grad is None if before is None else torch.equal(parameter.grad, before)


def test_groups_keep_their_proportions() -> None:
    first, second = Point(1.0), Point(1.0)
    both = nn.ModuleList([first, second])
    optimizer = torch.optim.SGD([{"params": first.parameters(), "lr": 0.2}, {"params": second.parameters()}], lr=0.02)
    seen: list[tuple[float, ...]] = []

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = both

        def forward(self, images: Tensor) -> Tensor:
            seen.append(tuple(float(point.weight.detach()) for point in self.both))
            return self.both[0](images) + self.both[1](images)

    sweep_rates(
        Sum(), endless(), plain(optimizer), lambda w, _t, _i: w.sum() + 1, lr=0.02, low=0.001, high=0.1, steps=3
    )
    moved = np.diff(np.array(seen), axis=0)
    np.testing.assert_allclose(moved, [[-0.01, -0.001], [-0.1, -0.01]], rtol=1e-4)


@pytest.mark.parametrize("bad", [{"low": 0.0}, {"low": 1.0, "high": 0.5}, {"steps": 1}])
def test_a_range_that_is_none_is_refused(bad: dict[str, float]) -> None:
    point = Point(1.0)
    optimizer = torch.optim.SGD(point.parameters(), lr=1.0)
    with pytest.raises(ValueError, match="a sweep rises from a rate above 0 in 2 steps or more"):
        sweep_rates(point, endless(), plain(optimizer), bowl(1.0), lr=1.0, **bad)


def test_clipping_and_parts_are_the_trainings() -> None:
    """A gradient of 3 (w = 3, curvature 1) clipped to 0.5 moves the weight by half the rate."""
    point = Point(3.0)
    update = dataclasses.replace(plain(torch.optim.SGD(point.parameters(), lr=1.0)), clip=0.5)
    sizes: list[int] = []

    def loss_fn(weight: Tensor, _targets: Tensor, images: Tensor) -> Tensor:
        sizes.append(len(images))
        return (weight**2 / 2).sum()

    batches = itertools.repeat((torch.zeros(4), torch.zeros(4, dtype=torch.int64)))
    sweep = sweep_rates(point, batches, update, loss_fn, lr=1.0, low=0.1, high=0.2, steps=2, microbatches=2)
    assert sizes == [2, 2, 2, 2]
    np.testing.assert_allclose(sweep.losses, [9 / 2, (3 - 0.05) ** 2 / 2], rtol=1e-5)
