"""Several processes take the steps of one: the oracle is a single process with the whole batch."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR
from torch.testing import assert_close

from assay.base.ranks import Ranks
from assay.training.average import average_of
from assay.training.loop import Step, Update, train_epoch
from assay.training.losses import build_loss
from assay.training.precision import Precision
from assay.training.sharing import Sharing
from assay.training.sync_norm import SharedNorms
from ranks_in_threads import in_threads

CPU = torch.device("cpu")
BATCH, PARTS = 10, 2


def batch(kind: torch.dtype = torch.float64, images: int = BATCH) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(images, 3, 4, 5, generator=generator, dtype=torch.float64) * 2 + 30).to(kind)


def norm_of(kind: torch.dtype, affine: bool) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(3, affine=affine, dtype=kind)
    if affine:
        nn.init.uniform_(norm.weight)
        nn.init.uniform_(norm.bias)
    return norm


def passed(norm: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The output, and the gradients of its cubes' sum for the images and the parameters."""
    images = images.clone().requires_grad_()
    output = norm(images)
    gradients = torch.autograd.grad(output.pow(3).sum(), [images, *norm.parameters()])
    return output.detach(), gradients[0], list(gradients[1:])


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("kind", "near"), [(torch.float64, 1e-11), (torch.float32, 2e-4)])
@pytest.mark.parametrize("size", [2, 3])
def test_norms_see_the_whole_batch(size: int, kind: torch.dtype, near: float, affine: bool) -> None:
    alone = norm_of(kind, affine)
    before = copy.deepcopy(alone)
    output, to_images, to_parameters = passed(alone, batch(kind))

    def work(ranks: Ranks) -> tuple[nn.Module, Tensor, Tensor, list[Tensor]]:
        norm = copy.deepcopy(before)
        with SharedNorms(ranks):
            result = passed(norm, ranks.share(batch(kind)))
        ranks.add_up(result[2]) if affine else None
        return norm, *result

    shared = in_threads(size, work)
    close = {"rtol": near, "atol": near}
    assert_close(torch.cat([found[1] for found in shared]), output, **close)
    assert_close(torch.cat([found[2] for found in shared]), to_images, **close)
    for norm, _, _, gradients in shared:
        assert_close(norm.running_mean, alone.running_mean, **close)
        assert_close(norm.running_var, alone.running_var, **close)
        assert norm.num_batches_tracked == 1
        for found, wanted in zip(gradients, to_parameters, strict=True):
            assert_close(found, wanted, **close)


def test_norms_in_evaluation_and_those_of_other_libraries() -> None:
    torch.manual_seed(0)
    frozen, other = norm_of(torch.float64, True).eval(), BatchNormAct2d(3).double()
    before, expected = copy.deepcopy(other), other(batch())

    def work(ranks: Ranks) -> tuple[Tensor, Tensor]:
        with SharedNorms(ranks):
            return frozen(ranks.share(batch())), copy.deepcopy(before)(ranks.share(batch()))

    shared = in_threads(2, work)
    assert torch.equal(torch.cat([found[0] for found in shared]), frozen(batch()))
    assert_close(torch.cat([found[1] for found in shared]), expected)


with torch.random.fork_rng():
    torch.manual_seed(0)  # once, as threads share the generator
    NETWORK = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4))


def trained(
    ranks: Ranks, kind: torch.dtype = torch.float64, *, sync: bool = True, clip: float | None = 0.5
) -> tuple[nn.Module, nn.Module, list[Step]]:
    """The network and its average after a few steps of which this rank takes its share."""
    model = copy.deepcopy(NETWORK).to(kind).to(memory_format=torch.channels_last)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = LambdaLR(optimizer, lambda _: 1.0)
    average = average_of(model, 0.5)
    update = Update(optimizer, scheduler, Precision.named("fp32", CPU), clip, average)
    generator = torch.Generator().manual_seed(1)
    whole = [
        (torch.randn(BATCH, 3, 4, 5, generator=generator).to(kind), torch.randint(4, (BATCH,), generator=generator))
        for _ in range(20)
    ]
    shares = [(ranks.share(images, PARTS), ranks.share(labels, PARTS)) for images, labels in whole]
    steps = list(
        train_epoch(
            model,
            shares,
            update,
            build_loss("cross-entropy", label_smoothing=0.1),
            microbatches=PARTS,
            sharing=Sharing(ranks, BATCH, sync),
        )
    )
    assert average is not None
    return model, average.module, steps


@pytest.mark.parametrize(("kind", "near"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
@pytest.mark.parametrize("size", [2, 3])
def test_steps_are_those_of_one_process(size: int, kind: torch.dtype, near: float) -> None:
    """The 20 losses in float64 to 1e-11, and the weights; the losses in float32 to 1e-4."""
    alone, average, steps = trained(Ranks(), kind)
    for model, of_model, shared in in_threads(size, lambda ranks: trained(ranks, kind)):
        for step, wanted in zip(shared, steps, strict=True):
            assert step.loss.item() == pytest.approx(wanted.loss.item(), rel=near)
            assert (step.correct.item(), step.images) == (wanted.correct.item(), BATCH)
        if kind == torch.float64:
            assert_close(model.state_dict(), alone.state_dict(), rtol=1e-9, atol=1e-9)
            assert_close(of_model.state_dict(), average.state_dict(), rtol=1e-9, atol=1e-9)


def test_without_shared_norms_all_still_hold_the_same_numbers() -> None:
    """Each norm sees its own share; the running statistics become the weighted mean."""
    results = in_threads(3, lambda ranks: trained(ranks, sync=False))
    first = results[0][0].state_dict()
    for model, _, _ in results[1:]:
        assert all(torch.equal(model.state_dict()[name], values) for name, values in first.items())
    alone = trained(Ranks())[0].state_dict()
    assert not torch.allclose(first["1.running_var"], alone["1.running_var"], rtol=1e-3)
    assert_close(first["1.running_mean"], alone["1.running_mean"], rtol=0.5, atol=0.3)


def test_running_statistics_are_the_mean_of_all() -> None:
    """By hand: 3 and 2 of 5 images, whose means are weighted by these."""

    def work(ranks: Ranks) -> Tensor:
        norm = nn.BatchNorm2d(3, momentum=1.0, dtype=torch.float64)
        images = ranks.share(batch(images=5))
        norm(images)
        Sharing(ranks, 5, sync_norm=False).add_up(norm, torch.zeros(()), torch.zeros(()), len(images) / 5)
        return norm.running_mean

    for mean in in_threads(2, work):
        assert_close(mean, batch(images=5).mean((0, 2, 3)))


def test_what_is_frozen_stays_to_the_bit() -> None:
    def work(ranks: Ranks) -> Tensor:
        norm = nn.BatchNorm2d(3)
        nn.init.constant_(norm.running_mean, 0.1)
        norm.eval()
        Sharing(ranks, 3, sync_norm=False).add_up(norm, torch.zeros(()), torch.zeros(()), 1 / 3)
        return norm.running_mean

    assert all(torch.equal(mean, torch.full((3,), 0.1)) for mean in in_threads(3, work))


def test_lower_precision_passes_through_shared_norms() -> None:
    def work(ranks: Ranks) -> Tensor:
        norm = nn.BatchNorm2d(3)
        with torch.autocast("cpu", dtype=torch.bfloat16), SharedNorms(ranks):
            output = norm(ranks.share(batch(torch.float32).sub(30)).bfloat16())
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        assert norm.weight.grad is not None and norm.weight.grad.dtype == torch.float32  # noqa: PT018
        return output.detach().float()

    images = batch(torch.float32).sub(30).bfloat16().float()
    expected = F.batch_norm(images, None, None, training=True)
    assert_close(torch.cat(in_threads(2, work)), expected, rtol=0.02, atol=0.02)
