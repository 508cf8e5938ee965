"""The look along the gradient, against a quadratic, and against steps taken by hand in float64."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from assay.models import build_model
from assay.run.probing.surface import Place, Surface, look_along_gradient, output_parameters
from assay.training.losses import cross_entropy

SIZES = (0.05, 0.2, 0.7)


class Weights(nn.Module):
    """Gives its weights whatever it is shown."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.fc = nn.Linear(len(start), 1, bias=False, dtype=start.dtype)
        self.fc.weight.data = start[None].clone()

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(images)


def on_quadratic(curvature: Tensor, start: Tensor) -> Surface:
    """The loss 1/2 w' A w: its gradient is A w, and after a step of size s it has changed by s A A w."""
    root = torch.linalg.cholesky(curvature).T
    return look_along_gradient(Weights(start), lambda scores, *_: scores.square().sum() / 2, root, root, SIZES)


def smoothness(found: Surface) -> Tensor:
    """The largest change of the gradient over the distance moved."""
    return (found.changes / found.distances).amax()


def test_a_quadratic_s_surface_is_known() -> None:
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    curvature = factor @ factor.T + torch.eye(6, dtype=torch.float64)
    start = torch.randn(6, generator=generator, dtype=torch.float64)
    gradient = curvature @ start
    found = on_quadratic(curvature, start)
    for place, size in enumerate(SIZES):
        there = start - size * gradient
        assert found.losses[place].item() == pytest.approx((there @ curvature @ there / 2).item(), rel=1e-10)
        assert found.changes[place].item() == pytest.approx(size * (curvature @ gradient).norm().item(), rel=1e-10)
        assert found.distances[place].item() == pytest.approx(size * gradient.norm().item(), rel=1e-10)
    assert found.loss.item() == pytest.approx((start @ gradient / 2).item(), rel=1e-10)
    assert smoothness(found).item() == pytest.approx(((curvature @ gradient).norm() / gradient.norm()).item())


@pytest.mark.parametrize("which", [0, -1])
def test_along_an_eigenvector_the_smoothness_is_its_eigenvalue(which: int) -> None:
    values = torch.tensor([0.5, 3.0, 40.0], dtype=torch.float64)
    start = torch.zeros(3, dtype=torch.float64)
    start[which] = 1.7
    assert smoothness(on_quadratic(torch.diag(values), start)).item() == pytest.approx(values[which].item())


def test_the_distances_are_multiples_of_the_given_step() -> None:
    """On a quadratic all is known at any distance; the cosine is that of A w and A (w - s A w)."""
    curvature = torch.diag(torch.tensor([0.5, 3.0, 40.0], dtype=torch.float64))
    start = torch.tensor([1.0, -2.0, 0.3], dtype=torch.float64)
    gradient, step = curvature @ start, torch.tensor(0.25, dtype=torch.float64)
    root = curvature.sqrt()
    found = look_along_gradient(
        Weights(start), lambda scores, *_: scores.square().sum() / 2, root, root, (0.5, 4.0), step=step
    )
    assert found.distances.tolist() == pytest.approx([0.125, 1.0])
    assert found.gradient.item() == pytest.approx(gradient.norm().item())
    for place, distance in enumerate((0.125, 1.0)):
        there = curvature @ (start - distance * gradient / gradient.norm())
        assert found.changes[place].item() == pytest.approx((there - gradient).norm().item())
        assert found.cosines[place].item() == pytest.approx(torch.cosine_similarity(gradient, there, dim=0).item())


def test_at_a_gradient_of_zero_a_look_goes_nowhere() -> None:
    root, zero = torch.eye(2).double(), torch.zeros(2).double()
    found = look_along_gradient(
        Weights(zero), lambda scores, *_: scores.square().sum() / 2, root, root, (1.0,), step=torch.tensor(0.1)
    )
    assert (found.distances.item(), found.losses.item(), found.changes.item()) == (0, 0, 0)
    assert math.isnan(found.cosines.item())


def test_a_look_from_where_the_network_was_sees_what_it_would_have_seen_there(network: nn.Module) -> None:
    images, labels = batch()
    before = look_along_gradient(network, cross_entropy, images, labels, SIZES)
    place = Place.of(network, images.device)
    cross_entropy(network(images), labels, images).backward()  # draws, and moves the statistics of norms
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    draws = torch.get_rng_state()
    after = look_along_gradient(network, cross_entropy, images, labels, SIZES, place=place)
    assert all(torch.equal(one, other) for one, other in zip(vars(before).values(), vars(after).values(), strict=True))
    assert torch.equal(torch.get_rng_state(), draws)
    assert place.distance_to(network).item() == pytest.approx(0.1 * before.gradient.item())


def test_a_flat_place_has_no_smoothness() -> None:
    assert math.isnan(smoothness(on_quadratic(torch.eye(2, dtype=torch.float64), torch.zeros(2).double())).item())


@pytest.fixture
def network() -> nn.Module:
    """With norms, and dropout in the head."""
    torch.manual_seed(0)
    made = build_model("vgg11", classes=4, channels=3, image_size=32, width=0.125, batch_norm=True, dropout=0.4)
    return made.double().train()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(8, 3, 32, 32, generator=generator, dtype=torch.float64)
    return images, torch.randint(4, (8,), generator=generator)


def gradient_by_hand(network: nn.Module, draws: Tensor) -> tuple[float, dict[str, Tensor]]:
    """A step's loss and gradient, through ``backward`` on a copy."""
    mine = copy.deepcopy(network)
    mine.zero_grad()
    torch.set_rng_state(draws)
    images, labels = batch()
    loss = nn.CrossEntropyLoss()(mine(images), labels)
    loss.backward()
    return loss.item(), {name: value.grad for name, value in mine.named_parameters() if value.grad is not None}


def test_a_network_s_surface_equals_steps_of_sgd_taken_by_hand(network: nn.Module) -> None:
    draws = torch.get_rng_state()
    found = look_along_gradient(network, cross_entropy, *batch(), SIZES)
    loss, gradient = gradient_by_hand(network, draws)
    assert found.loss.item() == pytest.approx(loss, rel=1e-9)
    length = math.sqrt(sum(value.square().sum().item() for value in gradient.values()))
    for place, size in enumerate(SIZES):
        moved = copy.deepcopy(network)
        optimizer = torch.optim.SGD(moved.parameters(), lr=size)
        for name, value in moved.named_parameters():
            value.grad = gradient[name].clone()
        optimizer.step()
        loss_there, there = gradient_by_hand(moved, draws)
        change = {name: (there[name] - gradient[name]).square().sum().item() for name in gradient}
        assert found.losses[place].item() == pytest.approx(loss_there, rel=1e-8)
        assert found.changes[place].item() == pytest.approx(math.sqrt(sum(change.values())), rel=1e-8)
        of_output = sum(value for name, value in change.items() if name.startswith("classifier.6."))
        assert found.output_changes[place].item() == pytest.approx(math.sqrt(of_output), rel=1e-8)
        assert found.distances[place].item() == pytest.approx(size * length, rel=1e-9)


def test_looking_leaves_no_trace(network: nn.Module) -> None:
    images, labels = batch()
    cross_entropy(network(images), labels, images).backward()
    weights = copy.deepcopy(network.state_dict())
    gradients = [value.grad.clone() for value in network.parameters() if value.grad is not None]
    draws = torch.get_rng_state()
    look_along_gradient(network, cross_entropy, images, labels, SIZES)
    assert torch.equal(torch.get_rng_state(), draws)
    assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
    now = [value.grad for value in network.parameters()]
    assert all(value is not None and torch.equal(value, kept) for value, kept in zip(now, gradients, strict=True))


def test_frozen_parameters_stay_where_they_are(network: nn.Module) -> None:
    for name, value in network.named_parameters():
        value.requires_grad_(name.startswith("classifier.6."))
    found = look_along_gradient(network, cross_entropy, *batch(), SIZES)
    assert torch.equal(found.changes, found.output_changes)
    assert found.changes.min() > 0


def test_parameters_that_the_network_does_not_use_have_a_gradient_of_zero(network: nn.Module) -> None:
    draws = torch.get_rng_state()
    without = look_along_gradient(network, cross_entropy, *batch(), SIZES)
    network.features.idle = nn.Linear(3, 3).double()  # not the last layer, which gives the scores
    network.features.forward = lambda images: nn.Sequential(*list(network.features)[:-1])(images)
    torch.set_rng_state(draws)  # the new layer has drawn
    found = look_along_gradient(network, cross_entropy, *batch(), SIZES)
    torch.testing.assert_close(found.changes, without.changes)


def test_the_output_layer_is_the_one_that_gives_the_scores(network: nn.Module) -> None:
    assert output_parameters(network) == ["classifier.6.weight", "classifier.6.bias"]
