"""Parts that several models share: activations, initialisation, pooling and the classifier head."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from assay.base.registry import choose

Activation = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]
Init = Callable[[nn.Module], None]

# In place only where the gradient can be computed as exactly from the output as from the input. ELU's would use
# output + 1 for exp(x), which rounds; SiLU's needs the input, which autograd would copy first.
ACTIVATIONS: dict[str, Activation] = {
    "relu": partial(nn.ReLU, inplace=True),
    "elu": nn.ELU,
    "leaky_relu": partial(nn.LeakyReLU, inplace=True),
    "rrelu": partial(nn.RReLU, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def _he(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _xavier(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _dirac(layer: nn.Module) -> None:
    """Let the first filters of a convolution begin as the identity (Jordan 2024, section 3.3); the others stay."""
    if isinstance(layer, nn.Conv2d):
        nn.init.dirac_(layer.weight[: layer.weight.shape[1]])


# Each is applied to every layer of a model (`nn.Module.apply`). "torch" keeps the weights that the constructors
# drew; none touches the norms, whose weight 1 and bias 0 are torch's own start.
INITS: dict[str, Init] = {"he": _he, "xavier": _xavier, "dirac": _dirac, "torch": lambda _layer: None}


class GlobalAverage(nn.Module):
    """Mean over all positions: (N, C, H, W) to (N, C).

    Equal to ``AdaptiveAvgPool2d(1)`` and a flattening, but written as a mean, whose gradient is
    deterministic on CUDA: torch does not promise that of adaptive pooling.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Average ``x`` (N, C, H, W) to (N, C)."""
        return x.mean((2, 3))


def linear_head(features: int, classes: int, *, dropout: float) -> nn.Module:
    """Map (N, features) to logits (N, classes) by one linear layer, behind dropout when it is not 0."""
    linear = nn.Linear(features, classes)
    return nn.Sequential(nn.Dropout(dropout), linear) if dropout else linear


def hidden_head(
    features: int,
    classes: int,
    *,
    hidden: int,
    dropout: float,
    place: str,
    act: Activation,
) -> nn.Module:
    """Map (N, features) to logits (N, classes) through one hidden layer of ``hidden`` units.

    The hidden layer is linear, norm, activation. Dropout stands between the linear layer and the
    norm ("before_norm") or behind norm and activation ("after_norm"). The first makes the norm's
    running variance differ between training and evaluation (Li et al. 2019, "Understanding the
    Disharmony between Dropout and Batch Normalization by Variance Shift").

    Raises:
        ValueError: ``place`` is neither of the two.
    """
    drop, normalise, activate = nn.Dropout(dropout), nn.BatchNorm1d(hidden), act()
    orders = {"before_norm": (drop, normalise, activate), "after_norm": (normalise, activate, drop)}
    middle = choose("dropout_place", place, orders)
    return nn.Sequential(nn.Linear(features, hidden), *middle, nn.Linear(hidden, classes))
