"""The loop against steps written out by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR
from torch.testing import assert_close

from assay.training.average import average_of
from assay.training.loop import Step, Update, train_epoch
from assay.training.losses import build_loss
from assay.training.precision import Precision

CPU = torch.device("cpu")
Network = Callable[[], nn.Sequential]


@pytest.fixture
def network() -> Network:
    """A function that makes the same small network each time."""

    def make() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3))

    return make


def batches(count: int = 3, size: int = 10) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(size, 3, 2, 2, generator=generator), torch.randint(0, 3, (size,), generator=generator))
        for _ in range(count)
    ]


def update_of(model: nn.Module, *, name: str = "fp32", clip: float | None = None, ema: float | None = None) -> Update:
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = LambdaLR(optimizer, lambda step: 0.5**step)
    return Update(optimizer, scheduler, Precision.named(name, CPU), clip, average_of(model, ema))


def train(model: nn.Module, update: Update, *, microbatches: int = 1) -> list[Step]:
    return list(train_epoch(model, batches(), update, build_loss("cross-entropy"), microbatches=microbatches))


def by_hand(model: nn.Sequential, *, clip: float | None = None) -> list[list[Tensor]]:
    """Momentum written out; the weights after each step."""
    weights, history = list(model.parameters()), []
    velocities = [torch.zeros_like(weight) for weight in weights]
    for step, (images, labels) in enumerate(batches()):
        gradients = list(torch.autograd.grad(F.cross_entropy(model(images), labels), weights))
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
        shrink = min(1.0, clip / (norm + 1e-6)) if clip else 1.0
        for number, gradient in enumerate(gradients):
            velocities[number] = 0.9 * velocities[number] + shrink * gradient
            weights[number].data -= 0.1 * 0.5**step * velocities[number]
        history.append([weight.detach().clone() for weight in weights])
    return history


@pytest.mark.parametrize("clip", [None, 0.05, 1e6])
def test_steps_by_hand(network: Network, clip: float | None) -> None:
    ours, theirs = network(), network()
    train(ours, update_of(ours, clip=clip))
    assert_close([weight.detach() for weight in ours.parameters()], by_hand(theirs, clip=clip)[-1])


@pytest.mark.parametrize("microbatches", [2, 3, 10])
def test_microbatches_add_up_to_the_batch(network: Network, microbatches: int) -> None:
    whole, parted = network(), network()
    expected, taken = train(whole, update_of(whole)), train(parted, update_of(parted), microbatches=microbatches)
    assert_close(list(parted.parameters()), list(whole.parameters()))
    assert_close([step.loss for step in taken], [step.loss for step in expected])
    assert [step.correct.item() for step in taken] == [step.correct.item() for step in expected]
    assert [step.images for step in taken] == [10, 10, 10]


def test_the_average_follows_each_step(network: Network) -> None:
    ours, theirs = network(), network()
    update = update_of(ours, ema=0.8)
    train(ours, update)
    history = by_hand(theirs)
    expected = history[0]
    for weights in history[1:]:
        expected = [0.8 * old + 0.2 * new for old, new in zip(expected, weights, strict=True)]
    assert update.average is not None
    assert_close([weight.detach() for weight in update.average.module.parameters()], expected)


def test_the_average_follows_running_statistics_too() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 3))
    update = update_of(model, ema=0.5)
    means = []
    for step in train_epoch(model, batches(2), update, build_loss("cross-entropy")):
        assert step.images == 10
        means.append(model[0].running_mean.clone())
    assert update.average is not None
    assert_close(update.average.module[0].running_mean, 0.5 * means[0] + 0.5 * means[1])


def test_without_a_decay_nothing_is_averaged(network: Network) -> None:
    assert average_of(network(), None) is None


@pytest.mark.parametrize(("name", "dtype", "near"), [("fp16", torch.float16, 2e-3), ("bf16", torch.bfloat16, 2e-2)])
def test_layers_compute_low_and_weights_stay_float32(
    network: Network, name: str, dtype: torch.dtype, near: float
) -> None:
    low, full = network(), network()
    seen: list[torch.dtype] = []
    low[1].register_forward_hook(lambda _layer, _given, output: seen.append(output.dtype))
    train(low, update_of(low, name=name))
    train(full, update_of(full))
    assert set(seen) == {dtype}
    assert {weight.dtype for weight in low.parameters()} == {torch.float32}
    assert_close(list(low.parameters()), list(full.parameters()), atol=near, rtol=near)
    assert not torch.equal(low[1].weight, full[1].weight)


def test_a_step_that_overflows_is_left_out_and_the_scale_falls(network: Network) -> None:
    model = network()
    update = update_of(model, name="fp16", clip=1.0)
    train(model, update)
    before, scale = copy.deepcopy(model.state_dict()), update.precision.scaler.get_scale()
    list(train_epoch(model, batches(1), update, lambda scores, _targets, _images: scores.sum() * 1e36))
    assert_close(model.state_dict(), before)
    assert update.precision.scaler.get_scale() == scale / 2


def test_small_gradients_survive_in_float16() -> None:
    """A gradient of 1e-9 is zero in float16 (smallest: 6e-8), but not when the loss is scaled by 1,024."""
    model = nn.Linear(4, 1, bias=False)
    nn.init.zeros_(model.weight)
    update = update_of(model, name="fp16")
    list(train_epoch(model, [(torch.ones(1, 4), torch.zeros(1))], update, lambda scores, *_: scores.sum() * 3e-9))
    assert (model.weight != 0).all()


def test_soft_targets_count_by_their_main_label(network: Network) -> None:
    model = network()
    images, labels = batches(1)[0]
    soft = 0.8 * F.one_hot(labels, 3).float() + 0.2 / 3
    right = (model(images).argmax(1) == labels).sum().item()
    (step,) = train_epoch(model, [(images, soft)], update_of(model), build_loss("cross-entropy"))
    assert step.correct.item() == right


def test_the_mode_is_the_callers_to_choose(network: Network) -> None:
    model = network().eval()
    list(train_epoch(model, batches(1), update_of(model), build_loss("cross-entropy"), set_mode=lambda _: None))
    assert not model.training


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unknown train\.precision 'fp8'"):
        Precision.named("fp8", CPU)
