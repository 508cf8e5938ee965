"""Optimizers against torch's own, unfused and one tensor at a time."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer, RMSprop
from torch.testing import assert_close

from assay.training.optim import build_optimizer, parameter_groups, restore_optimizer


def weights() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (4,), (2, 3, 3, 3))]


def after_steps(parameters: list[nn.Parameter], optimizer: Optimizer, count: int = 5) -> list[Tensor]:
    """Minimise the mean of cosines, whose gradient is never constant."""
    for _ in range(count):
        optimizer.zero_grad()
        torch.stack([parameter.mul(3).cos().mean() for parameter in parameters]).sum().backward()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def compare(name: str, options: dict[str, Any], kind: type[Optimizer], torchs: dict[str, Any]) -> None:
    ours, theirs = weights(), weights()
    taken = after_steps(ours, build_optimizer(name, ours, **options))
    expected = after_steps(theirs, kind(theirs, foreach=False, **torchs))
    assert_close(taken, expected, atol=1e-6, rtol=1e-6)
    assert not torch.equal(taken[0], weights()[0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": False},
        {"momentum": 0.9, "dampening": 0.9},
    ],
)
def test_sgd(options: dict[str, Any]) -> None:
    compare("sgd", {"lr": 0.3, **options}, SGD, {"lr": 0.3, **options})


@pytest.mark.parametrize(
    ("options", "torchs"),
    [
        ({}, {}),
        ({"weight_decay": 0.1}, {"weight_decay": 0.1}),
        ({"beta1": 0.5}, {"betas": (0.5, 0.999)}),
        ({"beta2": 0.7, "eps": 0.01}, {"betas": (0.9, 0.7), "eps": 0.01}),
    ],
)
def test_adam(options: dict[str, Any], torchs: dict[str, Any]) -> None:
    compare("adam", {"lr": 0.05, **options}, Adam, {"lr": 0.05, **torchs})


@pytest.mark.parametrize(
    ("name", "kind", "options", "torchs"),
    [
        ("adagrad", Adagrad, {}, {}),
        ("adagrad", Adagrad, {"eps": 0.1, "weight_decay": 0.1}, {"eps": 0.1, "weight_decay": 0.1}),
        ("adadelta", Adadelta, {}, {}),
        ("adadelta", Adadelta, {"rho": 0.5, "eps": 0.1}, {"rho": 0.5, "eps": 0.1}),
        ("rmsprop", RMSprop, {}, {}),
        ("rmsprop", RMSprop, {"rho": 0.5, "momentum": 0.9, "eps": 0.1}, {"alpha": 0.5, "momentum": 0.9, "eps": 0.1}),
        ("adamw", AdamW, {}, {"weight_decay": 0.0}),
        (
            "adamw",
            AdamW,
            {"beta1": 0.5, "beta2": 0.7, "weight_decay": 0.3},
            {"betas": (0.5, 0.7), "weight_decay": 0.3},
        ),
    ],
)
def test_others_of_torch(name: str, kind: type[Optimizer], options: dict[str, Any], torchs: dict[str, Any]) -> None:
    compare(name, {"lr": 0.05, **options}, kind, {"lr": 0.05, **torchs})


def test_dampening_equal_to_momentum_is_a_mean_by_hand() -> None:
    """d1 = g1 (torch starts the buffer whole), d2 = 0.9 d1 + 0.1 g2."""
    (parameter,) = parameters = [nn.Parameter(torch.tensor([2.0]))]
    optimizer = build_optimizer("sgd", parameters, lr=1.0, momentum=0.9, dampening=0.9)
    for gradient in (0.5, -0.2):
        parameter.grad = torch.tensor([gradient])
        optimizer.step()
    assert_close(parameter.detach(), torch.tensor([2 - 0.5 - (0.9 * 0.5 - 0.1 * 0.2)]))


def test_first_step_of_sgd_by_hand() -> None:
    """v = g + wd w; Nesterov's w - lr (g + wd w + m v), all in float64."""
    (parameter,) = parameters = [nn.Parameter(torch.tensor([2.0, -1.0]))]
    optimizer = build_optimizer("sgd", parameters, lr=0.5, momentum=0.9, nesterov=True, weight_decay=0.1)
    parameter.grad = torch.tensor([0.4, 0.2])
    optimizer.step()
    assert_close(parameter.detach(), torch.tensor([2 - 0.5 * 0.6 * 1.9, -1 - 0.5 * 0.1 * 1.9]))


def test_first_step_of_adam_by_hand() -> None:
    """Both means, corrected for their start at zero, are the gradient itself: the step is lr times its sign."""
    (parameter,) = parameters = [nn.Parameter(torch.tensor([2.0, -1.0]))]
    optimizer = build_optimizer("adam", parameters, lr=0.5)
    parameter.grad = torch.tensor([0.4, -3.0])
    optimizer.step()
    assert_close(parameter.detach(), torch.tensor([1.5, -0.5]))


def test_options_that_are_none_take_torchs_defaults() -> None:
    given = {"weight_decay": None, "momentum": None, "nesterov": None, "beta1": None, "beta2": None, "eps": None}
    for name, kind in (("sgd", SGD), ("adam", Adam)):
        ours, theirs = build_optimizer(name, weights(), lr=0.1, **given).defaults, kind(weights(), lr=0.1).defaults
        assert {**ours, "fused": None} == {**theirs, "fused": None}


@pytest.mark.parametrize("momentum", [None, 0.0])
def test_nesterov_needs_momentum(momentum: float | None) -> None:
    with pytest.raises(ValueError, match=r"^optim\.nesterov needs optim\.momentum above 0$"):
        build_optimizer("sgd", weights(), lr=0.1, nesterov=True, momentum=momentum)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("adam", {"momentum": 0.9}, r"^optimizer adam has no option 'momentum': choose from .*beta1, beta2"),
        ("adam", {"nesterov": True}, "^optimizer adam has no option 'nesterov'"),
        ("adam", {"beta": 0.9}, r"did you mean beta[12]\?$"),
        ("sgd", {"beta1": 0.9}, "^optimizer sgd has no option 'beta1'"),
        ("sgd", {"momentun": 0.9}, r"did you mean momentum\?$"),
        ("adm", {}, r"^unknown optimizer 'adm': did you mean adam\?$"),
    ],
)
def test_what_an_optimizer_does_not_have_is_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_optimizer(name, weights(), lr=0.1, **options)


def test_dampening_needs_momentum() -> None:
    with pytest.raises(ValueError, match=r"^optim\.dampening needs optim\.momentum above 0$"):
        build_optimizer("sgd", weights(), lr=0.1, dampening=0.5)


def test_nesterov_has_no_dampening() -> None:
    with pytest.raises(ValueError, match=r"^optim\.nesterov has no dampening"):
        build_optimizer("sgd", weights(), lr=0.1, nesterov=True, momentum=0.9, dampening=0.5)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def names_by_group(groups: list[dict[str, Any]], model: nn.Module) -> dict[tuple[float, float], list[str]]:
    names = {weight: name for name, weight in model.named_parameters()}
    return {(group["lr"], group["weight_decay"]): [names[weight] for weight in group["params"]] for group in groups}


def test_all_parameters_decay_in_one_group() -> None:
    model = network()
    everything = [name for name, _ in model.named_parameters()]
    groups = parameter_groups(model, lr=0.1, weight_decay=0.01)
    assert names_by_group(groups, model) == {(0.1, 0.01): everything}


def test_biases_and_norms_do_not_decay() -> None:
    model = network()
    groups = parameter_groups(model, lr=0.1, weight_decay=0.01, decay="weights")
    assert names_by_group(groups, model) == {
        (0.1, 0.01): ["0.weight", "3.weight"],
        (0.1, 0.0): ["0.bias", "1.weight", "1.bias", "3.bias"],
    }


def test_layers_have_rates_of_their_own() -> None:
    model = network()
    factors = {"0.weight": 0.25, "0.bias": 0.25, "1.weight": 0.5, "1.bias": 0.5}
    groups = parameter_groups(model, lr=0.1, weight_decay=0.0, factors=factors)
    assert names_by_group(groups, model) == {
        (0.025, 0.0): ["0.weight", "0.bias"],
        (0.05, 0.0): ["1.weight", "1.bias"],
        (0.1, 0.0): ["3.weight", "3.bias"],
    }


def test_biases_have_a_rate_of_their_own() -> None:
    model = network()
    groups = parameter_groups(model, lr=0.1, weight_decay=0.01, decay="weights", factors={"3.bias": 0.5}, bias_lr=64)
    assert names_by_group(groups, model) == {
        (0.1, 0.01): ["0.weight", "3.weight"],
        (6.4, 0.0): ["0.bias", "1.bias"],
        (0.1, 0.0): ["1.weight"],
        (3.2, 0.0): ["3.bias"],
    }


def test_learning_rate_is_needed() -> None:
    with pytest.raises(ValueError, match=r"^optimizer sgd needs 'lr'$"):
        build_optimizer("sgd", weights())


@pytest.mark.parametrize("options", [{}, {"nesterov": True}, {"dampening": 0.9}])
def test_weights_of_a_group_may_begin_to_learn_one_after_another(options: dict[str, Any]) -> None:
    ours, theirs = weights(), weights()
    steps = {"lr": 0.3, "momentum": 0.9, **options}
    for parameters, optimizer in ((ours, build_optimizer("sgd", ours, **steps)), (theirs, SGD(theirs, **steps))):
        for parameter in parameters[:2]:
            parameter.requires_grad_(False)
        after_steps(parameters, optimizer, 2)
        for parameter in parameters:
            parameter.requires_grad_(True)
        after_steps(parameters, optimizer, 2)
    assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_a_first_step_that_overflows_leaves_the_momentum_at_rest() -> None:
    ours, theirs = weights(), weights()
    optimizer = build_optimizer("sgd", ours, lr=0.3, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(torch.ones(()))  # makes the scale
    for parameter in ours:
        parameter.grad = torch.full_like(parameter, torch.inf)
    scaler.step(optimizer)
    scaler.update()
    assert_close(ours, weights(), atol=0, rtol=0)
    after_steps(ours, optimizer, 3)
    after_steps(theirs, SGD(theirs, lr=0.3, momentum=0.9), 3)
    assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def stepped(name: str) -> tuple[Optimizer, nn.Module]:
    network = nn.Linear(3, 2)
    optimizer = build_optimizer(name, [{"params": list(network.parameters()), "weight_decay": 0.0}], lr=0.1)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer, network


@pytest.mark.parametrize("name", ["adam", "adagrad", "rmsprop"])
def test_a_state_is_restored_but_not_its_settings(name: str) -> None:
    (first, _), (second, _) = stepped(name), stepped(name)
    state = copy.deepcopy(first.state_dict())
    state["param_groups"][0] |= {"eps": "many", "weight_decay": [1]}
    restore_optimizer(second, state)
    assert second.param_groups[0]["eps"] == first.param_groups[0]["eps"]
    assert str(second.state_dict()["state"]) == str(first.state_dict()["state"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.zeros(1), r"exp_avg of shape \[1\], of a weight of \[2, 3\]"),
        (torch.zeros(3, 2), r"exp_avg of shape \[3, 2\], of a weight of \[2, 3\]"),
        ("x", "exp_avg is str"),
    ],
)
def test_a_state_of_other_weights_is_refused(value: object, words: str) -> None:
    optimizer, _ = stepped("adam")
    state = copy.deepcopy(optimizer.state_dict())
    state["state"][0]["exp_avg"] = value
    with pytest.raises(ValueError, match=words):
        restore_optimizer(optimizer, state)
