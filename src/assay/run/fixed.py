"""What a recipe asks of its network: a first convolution that whitens, norms' scales that stay, several sizes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from assay.data.batches import EvaluationBatches
from assay.data.preprocess import Preprocessing
from assay.models.whitening import fit_whitening, whitening_layer
from assay.recipe.recipe import Recipe
from assay.training.transfer import NORMS

WHITENED = 5000
"""training images whose patches are looked at, as Jordan 2024"""


def fix(recipe: Recipe, network: nn.Module) -> None:
    """Take away the gradient of all that the recipe fixes, so that it counts and learns no more.

    Raises:
        ValueError: the network has nothing of the kind.
    """
    if recipe.transfer.whiten:
        if recipe.model.pretrained:
            raise ValueError("transfer.whiten would replace the first layer of model.pretrained: choose one of them")
        whitening_layer(network).weight.requires_grad_(False)
    if recipe.transfer.freeze_scales:
        scales = [layer.weight for layer in network.modules() if isinstance(layer, NORMS) and layer.weight is not None]
        if not scales:
            raise ValueError("transfer.freeze_scales: the network has no norm with a scale")
        for scale in scales:
            scale.requires_grad_(False)


def check_sides(recipe: Recipe, network: nn.Module, how: Preprocessing, network_at: Callable[[int], nn.Module]) -> None:
    """Raise ``ValueError`` if the network does not take the smaller images that it is to train on.

    Args:
        recipe: says how small they are, if at all: in the first epochs, and in the last.
        network: that of the images' own size.
        how: says which that is.
        network_at: builds that of another size.
    """
    sides = {field: side for field in ("small_size", "size") if (side := getattr(recipe.train, field)) is not None}
    if not sides:
        return
    with torch.device("meta"):
        own = network_at(how.size).eval()
    for field, side in sides.items():
        named = f"train.{field}: {recipe.model.name}"
        with torch.device("meta"):
            small = network_at(side)
        shapes = [{name: weight.shape for name, weight in one.named_parameters()} for one in (network, small)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{named} has other parameters for images of {side} pixels")
        try:
            own(torch.empty(2, how.channels, side, side, device="meta"))
        except Exception:  # networks fail in many ways on a size that they do not take
            raise ValueError(f"{named} for images of {how.size} pixels takes none of {side}") from None


def whiten(network: nn.Module, images: EvaluationBatches) -> None:
    """Fit the first convolution to training images as they are; raises ``ValueError`` as `fix`."""
    fit_whitening(whitening_layer(network), (batch for batch, _ in images))
