"""Muon against torch's own (which takes matrices only) and against AdamW; LARS against its formula in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.testing import assert_close

from assay.training.muon import orthogonalize
from assay.training.optim import build_optimizer

FILTERS = [(8, 4, 3, 3), (16, 8, 1, 1), (40, 4, 2, 2)]


def gradients(shape: tuple[int, ...], count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


def trained(start: Tensor, name: str, steps: list[Tensor], **options: Any) -> Tensor:
    weight = nn.Parameter(start.clone())
    optimizer = build_optimizer(name, [weight], **options)
    for gradient in steps:
        weight.grad = gradient.reshape(start.shape).clone()
        optimizer.step()
    return weight.detach()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has a Muon of its own from 2.9 on")
@pytest.mark.parametrize("shape", FILTERS)
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.3, "momentum": 0.8}])
def test_filters_follow_torchs_muon_on_matrices(shape: tuple[int, ...], options: dict[str, float]) -> None:
    start, steps = torch.randn(shape, generator=torch.Generator().manual_seed(0)), gradients(shape, 4)
    matrix = nn.Parameter(start.flatten(1).clone())
    theirs = torch.optim.Muon(
        [matrix], lr=0.02, adjust_lr_fn="match_rms_adamw", **{"weight_decay": 0.0, "momentum": 0.95, **options}
    )
    for gradient in steps:
        matrix.grad = gradient.flatten(1).clone()
        theirs.step()
    ours = trained(start, "muon", steps, lr=0.02, **options)
    moved = (matrix.detach() - start.flatten(1)).abs().max()
    assert (ours.flatten(1) - matrix.detach()).abs().max() < 0.02 * moved  # torch iterates in bfloat16


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (8, 1, 3, 3), (5, 7), (6,)])
def test_all_else_follows_adamw(shape: tuple[int, ...]) -> None:
    start, steps = torch.randn(shape, generator=torch.Generator().manual_seed(0)), gradients(shape, 5)
    weight = nn.Parameter(start.clone())
    theirs = AdamW([weight], lr=0.02, betas=(0.9, 0.95), weight_decay=0.1)
    for gradient in steps:
        weight.grad = gradient.clone()
        theirs.step()
    assert_close(trained(start, "muon", steps, lr=0.02, weight_decay=0.1), weight.detach())


def test_normalized_filters_take_a_step_relative_to_their_length() -> None:
    """In float64: to unit length a filter, then lr times the orthogonal factor of the Nesterov momentum."""
    shape, generator = (6, 4, 3, 3), torch.Generator().manual_seed(0)
    start, steps = 5 * torch.randn(shape, generator=generator), gradients((6, 4, 3, 3), 3)
    weight, momentum = start.double().flatten(1), torch.zeros(6, 36, dtype=torch.float64)
    for gradient in steps:
        matrix = gradient.double().flatten(1)
        momentum = 0.9 * momentum + 0.1 * matrix
        factor = orthogonalize((0.1 * matrix + 0.9 * momentum).float()).double()
        weight = weight * 6**0.5 / weight.norm() - 0.2 * factor
    ours = trained(start, "muon", steps, lr=0.2, momentum=0.9, normalize=True)
    assert_close(ours.flatten(1).double(), weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (12, 12)])
def test_singular_values_come_near_one_and_the_vectors_stay(shape: tuple[int, int]) -> None:
    left, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(shape[0], min(shape))))
    right, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(shape[1], min(shape))))
    values = np.linspace(0.2, 1.0, min(shape))
    result = orthogonalize(torch.from_numpy(left * values @ right.T).float()).double().numpy()
    inner = left.T @ result @ right
    assert np.all((np.diag(inner) > 0.65) & (np.diag(inner) < 1.25))
    assert np.abs(inner - np.diag(np.diag(inner))).max() < 1e-4
    assert np.abs(result - left @ inner @ right.T).max() < 1e-4


def test_orthogonalize_is_the_polynomial_of_the_singular_values() -> None:
    """Each iteration maps a singular value s to 3.4445 s - 4.7750 s^3 + 2.0315 s^5, in float64."""
    start = np.array([3.0, 4.0])
    values = start / (np.linalg.norm(start) + 1e-7)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    assert_close(orthogonalize(torch.diag(torch.tensor([3.0, 4.0]))).diag().double().numpy(), values, rtol=1e-4, atol=0)


def test_channels_last_filters_take_the_same_steps() -> None:
    shape = (8, 4, 3, 3)
    start, steps = torch.randn(shape), gradients(shape, 3)
    plain = trained(start, "muon", steps, lr=0.02)
    last = trained(start.to(memory_format=torch.channels_last), "muon", steps, lr=0.02)
    assert_close(last.contiguous(), plain)


def lars_in_float64(start: Tensor, steps: list[Tensor], *, decay: float, momentum: float, trust: float) -> np.ndarray:
    weight, velocity = start.double().numpy().copy(), 0.0
    for step in steps:
        gradient = step.double().numpy()
        rate = 1.0
        if weight.ndim > 1:
            length, slope = np.linalg.norm(weight), np.linalg.norm(gradient)
            rate = trust * length / (slope + decay * length)
        velocity = momentum * velocity + 2.0 * rate * (gradient + decay * weight)
        weight = weight - velocity
    return weight


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (5, 7), (6,)])
def test_lars_follows_its_formula(shape: tuple[int, ...]) -> None:
    start, steps = torch.randn(shape, generator=torch.Generator().manual_seed(0)), gradients(shape, 5)
    taken = trained(start, "lars", steps, lr=2.0, weight_decay=0.05, momentum=0.8, trust=0.01)
    expected = lars_in_float64(start, steps, decay=0.05, momentum=0.8, trust=0.01)
    assert_close(taken.double().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_layer_of_zeros_leaves_zero_under_lars() -> None:
    start, step = torch.zeros(2, 2), torch.ones(2, 2)
    assert_close(trained(start, "lars", [step], lr=0.5), torch.full((2, 2), -0.5))


@pytest.mark.parametrize("name", ["muon", "lars"])
def test_state_goes_on_exactly(name: str) -> None:
    shape = (8, 4, 3, 3)
    start, steps = torch.randn(shape), gradients(shape, 4)
    whole = trained(start, name, steps, lr=0.1)
    weight = nn.Parameter(start.clone())
    first = build_optimizer(name, [weight], lr=0.1)
    for gradient in steps[:2]:
        weight.grad = gradient.clone()
        first.step()
    second = build_optimizer(name, [weight], lr=0.1)
    second.load_state_dict(first.state_dict())
    for gradient in steps[2:]:
        weight.grad = gradient.clone()
        second.step()
    assert torch.equal(weight.detach(), whole)
